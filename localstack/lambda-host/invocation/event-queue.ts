import type { EventSettings } from './event-settings.ts'
import { type InvocationEvent, type Outcome, platformError } from './invocation.ts'

/** Why the queue is done with an event, in AWS's words. */
export type EventCondition = 'Success' | 'RetriesExhausted' | 'EventAgeExceeded' | 'ZeroReservedConcurrency'

/** An event with which the queue is done. */
export type FinishedEvent = {
  event: InvocationEvent
  condition: EventCondition
  /** How often the function ran on it. */
  invocations: number
  /** The result of the last run; undefined when it never ran. */
  outcome?: Outcome
}

/**
 * Events of asynchronous invocations, which are kept until the function has handled them. They are in memory, so they
 * are lost when the host ends.
 */
export type EventQueue = {
  push(event: InvocationEvent): void
  /** Starts as many events as the function's concurrency allows. */
  drain(): void
  stop(): void
}

type Queued = {
  event: InvocationEvent
  bestBefore: number
  invocations: number
  expiry?: NodeJS.Timeout
  outcome?: Outcome
}

/**
 * Makes a queue. A failed event is tried again after `retryDelaysMs`, as often as the settings say. It is discarded
 * when no retry is left, when it would be too old at the next retry, or when it has become too old while the function
 * was busy.
 */
export function makeEventQueue({
  tryInvoke,
  settings,
  retryDelaysMs,
  refusesAll,
  onFinished,
}: {
  /** Returns undefined while the function's concurrency is used up. */
  tryInvoke: (event: InvocationEvent) => Promise<Outcome> | undefined
  settings: () => EventSettings
  retryDelaysMs: readonly number[]
  /** Whether the function reserves a concurrency of 0. */
  refusesAll: boolean
  onFinished: (finished: FinishedEvent) => void
}): EventQueue {
  const waiting: Queued[] = []
  const timers = new Set<NodeJS.Timeout>()
  let stopped = false

  function drain(): void {
    while (waiting.length > 0 && !stopped) {
      const invocation = tryInvoke(waiting[0]!.event)
      if (invocation === undefined) return
      const queued = waiting.shift()!
      cancel(queued.expiry)
      queued.invocations++
      invocation.then(
        (outcome) => settle(queued, outcome),
        (error) => settle(queued, { ...platformError('ServiceException', String(error)), logTail: '' }),
      )
    }
  }

  function settle(queued: Queued, outcome: Outcome): void {
    if (stopped) return
    queued.outcome = outcome
    const { maximumRetryAttempts } = settings()
    const delayMs = retryDelaysMs[queued.invocations - 1] ?? retryDelaysMs.at(-1) ?? 0
    if (outcome.functionError === undefined) finish(queued, 'Success')
    else if (queued.invocations > maximumRetryAttempts) finish(queued, 'RetriesExhausted')
    else if (Date.now() + delayMs > queued.bestBefore) finish(queued, 'EventAgeExceeded')
    else after(delayMs, () => enqueue(queued))
  }

  function enqueue(queued: Queued): void {
    waiting.push(queued)
    queued.expiry = after(queued.bestBefore - Date.now(), () => {
      waiting.splice(waiting.indexOf(queued), 1)
      finish(queued, 'EventAgeExceeded')
    })
    drain()
  }

  function finish({ event, invocations, outcome }: Queued, condition: EventCondition): void {
    onFinished({ event, condition, invocations, ...(outcome !== undefined && { outcome }) })
  }

  function after(delayMs: number, work: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, delayMs)
    timers.add(timer)
    return timer
  }

  function cancel(timer: NodeJS.Timeout | undefined): void {
    if (timer === undefined) return
    clearTimeout(timer)
    timers.delete(timer)
  }

  return {
    push(event) {
      if (refusesAll) return onFinished({ event, condition: 'ZeroReservedConcurrency', invocations: 0 })
      const bestBefore = Date.now() + settings().maximumEventAgeSeconds * 1000
      enqueue({ event, bestBefore, invocations: 0 })
    },
    drain,
    stop() {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
    },
  }
}
