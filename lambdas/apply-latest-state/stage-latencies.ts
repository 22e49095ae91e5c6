import type { Stage } from '#core/status/latencies.ts'
import type { ChangeTimes } from '#core/wire/change-times.ts'

/**
 * How long a change took in each stage, in ms, by the clocks of the source, Connect and the function. `invokedAtMs` is
 * when the function got it, and `visibleAtMs` when its row was committed, in ms since 1970.
 */
export const stagesOf = (
  { committedAtMs, readAtMs, sentAtMs }: ChangeTimes,
  invokedAtMs: number,
  visibleAtMs: number,
): Record<Stage, number> => ({
  capture: readAtMs - committedAtMs,
  topic: sentAtMs - readAtMs,
  mapping: invokedAtMs - sentAtMs,
  apply: visibleAtMs - invokedAtMs,
})
