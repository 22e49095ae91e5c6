/** The median of several runs, and their least and greatest value. */
export type Spread = { readonly median: number; readonly least: number; readonly most: number }

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, least: sorted[0]!, most: sorted.at(-1)! }
}

/** The value which the given share of all values does not exceed. */
export const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!

/**
 * Ratios of values to those that were measured beside them, turn by turn. The load of the machine is nearly the same
 * for both values of a pair, so it influences these ratios less than the ratio of two medians.
 */
export const pairedRatios = (values: readonly number[], references: readonly number[]): number[] =>
  values.slice(0, references.length).map((value, turn) => value / references[turn]!)
