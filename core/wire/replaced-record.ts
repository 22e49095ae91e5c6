/** Why a record that replaces a change cannot be applied, and whether reading the table again resolves it. */
export type Replacement = { readonly reason: string; readonly automatic: boolean }

/**
 * Recognizes what capture sends in place of a large row's record when it cannot be joined (core/wire/record-parts.ts): a
 * part that does not follow the one before it, or the notice that the row is too large for parts. Undefined for any
 * other value.
 */
export function replacementOf(envelope: object): Replacement | undefined {
  if ('tidemark_part' in envelope) {
    return { reason: 'a part of a large row came without the parts before it', automatic: true }
  }
  if (!('tidemark_oversize' in envelope)) return undefined
  return { reason: oversizeReason((envelope.tidemark_oversize ?? {}) as Oversize), automatic: false }
}

type Oversize = { bytes?: unknown; limit?: unknown; key?: unknown; columns?: unknown }

function oversizeReason({ bytes, limit, key, columns }: Oversize): string {
  const sizes = typeof columns === 'object' ? Object.entries(columns ?? {}) : []
  const largest = sizes.map(([name, size]) => `column ${name} ${megabytes(size)}`)
  const what = [`key ${String(key ?? 'none').slice(0, 300)}`, ...largest].join(', ')
  return `a change of a row is ${megabytes(bytes)} of JSON (${what}), and at most ${megabytes(limit)} can be sent: make the value smaller, or leave the column out with excludeColumns, then run npm run resync`
}

const megabytes = (bytes: unknown): string => `${(Number(bytes) / 1e6).toFixed(1)} MB`
