/** A place on an axis that has a label: its value, and what is written there. */
export type Tick = { readonly at: number; readonly label: string }

/** Ticks of round values, about `count` of them: zero is among them, and they reach beyond `least` and `most`. */
export function valueTicks(
  least: number,
  most: number,
  count: number,
  format: (value: number) => string,
): readonly Tick[] {
  const from = Math.min(0, least)
  const to = Math.max(0, most)
  const step = roundUp((to - from || count) / count)
  const first = Math.floor(from / step)
  const last = Math.max(first + 1, Math.ceil(to / step))
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const at = (first + index) * step
    return { at, label: format(at) }
  })
}

/** The next number of the form 1, 2, 2.5 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const factor = [1, 2, 2.5, 5, 10].find((each) => each * power >= value * (1 - 1e-9)) ?? 10
  return factor * power
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Steps between labels of time, in seconds. */
const steps = [
  1,
  5,
  10,
  30,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
  14 * DAY,
  30 * DAY,
  90 * DAY,
  365 * DAY,
]

/** Ticks of round times between two times, at most `count`. `offset` is that of the zone in seconds east of UTC. */
export function timeTicks(from: number, to: number, count: number, offset: number): readonly Tick[] {
  const step = steps.find((each) => (to - from) / each <= count) ?? Math.ceil((to - from) / count / DAY) * DAY
  const ticks: Tick[] = []
  for (let at = Math.ceil((from + offset) / step) * step - offset; at <= to; at += step) {
    ticks.push({ at, label: timeLabel(at + offset, step) })
  }
  return ticks
}

function timeLabel(local: number, step: number): string {
  const iso = new Date(local * 1_000).toISOString()
  if (step >= DAY || local % DAY === 0) return iso.slice(5, 10)
  return iso.slice(11, step < MINUTE ? 19 : 16)
}

/** The index of the time that is nearest to another one; times ascend. */
export function nearest(times: readonly number[], at: number): number {
  let low = 0
  let high = times.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle]! < at) low = middle + 1
    else high = middle
  }
  return low > 0 && at - times[low - 1]! < times[low]! - at ? low - 1 : low
}

/** The `d` of a line through points; a value that is null interrupts it. */
export function pathOf(xs: readonly number[], ys: readonly (number | null)[]): string {
  let path = ''
  let isDrawing = false
  for (const [index, y] of ys.entries()) {
    if (y !== null) path += `${isDrawing ? 'L' : 'M'}${xs[index]!.toFixed(1)} ${y.toFixed(1)}`
    isDrawing = y !== null
  }
  return path
}
