import type { Decoded } from './unavailable.ts'

/**
 * Converts a value that Debezium sends to Postgres's input text. Throws a ValueError when the value may have been
 * damaged.
 */
export type Decode = (wire: unknown) => Decoded

/** How values of one column type are read from the wire. */
export type ColumnCodec = {
  readonly decode: Decode
  /**
   * Gives one text for values that Postgres considers equal, and different texts for others (numeric 1.0 and 1.00 give
   * one). Throws a ValueError when equality cannot be decided. History uses the same rule:
   * adapters/postgres/apply/key-text.ts.
   */
  readonly canonical: (text: string) => string
  /** Whether no input text has a character with a meaning inside an array literal. */
  readonly plain: boolean
}

const asIs = (text: string): string => text

/** A codec whose texts are the same for equal values. */
export const codec = (decode: Decode, plain = false): ColumnCodec => ({ decode, canonical: asIs, plain })

/** A codec whose texts may differ for equal values; `canonical` makes them the same. */
export const codecWithKey = (decode: Decode, canonical: (text: string) => string, plain = false): ColumnCodec => ({
  decode,
  canonical,
  plain,
})
