/** The answer of a run of the producer. */
export type ProducerAnswer = {
  events: number
  byOp: Record<string, number>
  seconds: number
  /** The rate that was reached. */
  eventsPerSecond: number
  /** `time limit`: the function's time ended before all events that were asked for were done. */
  endedBy: 'count' | 'time limit'
  first: unknown
  last: unknown
}

/** Counts events as they are done. */
export type Tally = {
  add(op: string, event: unknown): void
  /** `wanted` is how many events were asked for. */
  answer(wanted: number): ProducerAnswer
}

/** Starts a count; `now` is in milliseconds. */
export function makeTally(now: () => number): Tally {
  const start = now()
  const byOp: Record<string, number> = {}
  let events = 0
  let first: unknown = null
  let last: unknown = null
  return {
    add: (op, event) => {
      byOp[op] = (byOp[op] ?? 0) + 1
      events += 1
      first ??= event
      last = event
    },
    answer: (wanted) => {
      const seconds = Math.max(now() - start, 1) / 1000
      const endedBy = events < wanted ? 'time limit' : 'count'
      return { events, byOp, seconds: round(seconds), eventsPerSecond: round(events / seconds), endedBy, first, last }
    },
  }
}

const round = (value: number) => Math.round(value * 100) / 100
