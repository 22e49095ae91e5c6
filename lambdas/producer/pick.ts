/** A number from 0 up to but not including 1. */
export type Random = () => number

/** A whole number from `min` to `max`, both included. */
export function pickInt(min: number, max: number, random: Random): number {
  return min + Math.floor(random() * (max - min + 1))
}

/** One of the items. */
export function pickOne<T>(items: readonly T[], random: Random): T {
  return items[pickInt(0, items.length - 1, random)]!
}

/** One of the names, each as often as its weight says. The weights must not all be 0. */
export function pickWeighted<Name extends string>(weights: Record<Name, number>, random: Random): Name {
  const entries = Object.entries(weights) as [Name, number][]
  let rest = random() * entries.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [name, weight] of entries) {
    if (rest < weight) return name
    rest -= weight
  }
  // Rounding may leave a rest behind the last weight.
  return entries.findLast(([, weight]) => weight > 0)![0]
}
