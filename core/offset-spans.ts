/** Offsets from `from` up to but not including `to`. */
export type OffsetSpan = { readonly from: number; readonly to: number }

/** A set of offsets as spans, in which each offset occurs once. */
export type OffsetSet = {
  /** Ascending, with at least one offset between two of them. */
  readonly spans: readonly OffsetSpan[]
  /** Offsets that were given more than once. */
  readonly repeated: readonly OffsetSpan[]
}

/** Sorted offsets as spans. An offset that occurs twice is in two of them. */
export function spansOf(sorted: readonly number[]): OffsetSpan[] {
  const spans: { from: number; to: number }[] = []
  for (const offset of sorted) {
    const last = spans.at(-1)
    if (last !== undefined && last.to === offset) last.to++
    else spans.push({ from: offset, to: offset + 1 })
  }
  return spans
}

/** Joins spans, which may be in any order. */
export function unite(spans: readonly OffsetSpan[]): OffsetSet {
  const united: { from: number; to: number }[] = []
  const repeated: { from: number; to: number }[] = []
  for (const { from, to } of spans.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const last = united.at(-1)
    if (last === undefined || from > last.to) {
      united.push({ from, to })
      continue
    }
    if (from < last.to) repeated.push({ from, to: Math.min(to, last.to) })
    last.to = Math.max(last.to, to)
  }
  return { spans: united, repeated: repeated.length < 2 ? repeated : unite(repeated).spans }
}

/** The parts of a span that are in none of `spans`, which are in ascending order. */
export function missingOf({ from, to }: OffsetSpan, spans: readonly OffsetSpan[]): OffsetSpan[] {
  const missing: OffsetSpan[] = []
  let next = from
  for (const span of spans) {
    if (span.to <= next) continue
    if (span.from >= to) break
    if (span.from > next) missing.push({ from: next, to: span.from })
    next = span.to
  }
  if (next < to) missing.push({ from: next, to })
  return missing
}

export const countOf = (spans: readonly OffsetSpan[]): number => spans.reduce((sum, { from, to }) => sum + to - from, 0)

/** `3 to 5, 9`. Only the first ten of many spans are shown, with the number of the others. */
export function describeSpans(spans: readonly OffsetSpan[]): string {
  const shown = spans.slice(0, 10).map(({ from, to }) => (to - from === 1 ? `${from}` : `${from} to ${to - 1}`))
  return spans.length > shown.length ? `${shown.join(', ')} and ${spans.length - shown.length} more` : shown.join(', ')
}
