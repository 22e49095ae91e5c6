import type { Decoded } from './unavailable.ts'

/** Turns a value as Debezium sends it into Postgres's input text. Throws a ValueError where it may have been damaged. */
export type Decode = (wire: unknown) => Decoded

/** How the values of one column type travel. */
export type ColumnCodec = {
  readonly decode: Decode
  /**
   * Texts of values that Postgres holds equal become one, those of others never (numeric 1.0 and 1.00). Throws a
   * ValueError where that cannot be known. The rule is history's, too: adapters/postgres/apply/key-text.ts.
   */
  readonly canonical: (text: string) => string
  /** Input texts hold none of the characters that mean something inside an array literal. */
  readonly plain: boolean
}

const asIs = (text: string): string => text

/** A codec whose texts are the same for equal values. */
export const codec = (decode: Decode, plain = false): ColumnCodec => ({ decode, canonical: asIs, plain })

/** A codec whose texts may differ for equal values. */
export const codecWithKey = (decode: Decode, canonical: (text: string) => string, plain = false): ColumnCodec => ({
  decode,
  canonical,
  plain,
})
