import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { currentLoad } from '../machine/machine.ts'
import { type ProcessorSeconds, type ProcessorWatch, watchProcessors } from '../machine/processes.ts'
import { connectTo, type MeasuredStack, untilConsumersWait } from '../measured-stack.ts'

/**
 * One drain: a log or topic that was filled while its consumers were held, from their release until everything is
 * visible.
 */
export type DrainRun = {
  readonly seconds: number
  readonly changesPerSecond: number
  /** Microseconds of processor time per change, by group of processes. */
  readonly microsPerChange: ProcessorSeconds
  /** Load average of the last minute before the drain. */
  readonly load: number
  /**
   * Whether the final state was that of the source. A peer whose state never was is measured for half a minute longer.
   */
  readonly isEqual: boolean
}

/** What is drained, and how its consumers are held until the drain begins. */
export type HeldDrain = {
  /** An administrator's URL of the database that is written to. */
  readonly url: string
  /** A statement whose value `arrived` says whether the last change is there. */
  readonly arrived: string
  /** Computes checksums of the state in the database that is written to. `expected` has those of the complete state. */
  readonly state: (client: pg.Client) => Promise<readonly string[]>
  readonly expected: readonly string[]
  readonly changes: number
  /** The statement that takes a lock which every consumer needs before its first write. */
  readonly hold: string
  readonly begin: () => Promise<void>
  /** Returns the reason why the drain cannot continue, or undefined. */
  readonly failure?: () => Promise<string | undefined>
  /** Called when the consumers are up and the drain begins. */
  readonly onHeld: () => void
}

/**
 * Drains what is there. The consumers start while a lock holds them, so that their start is not measured. The measured
 * time runs from the release of the lock until the state is the expected one. What each consumer fetches and reads
 * before its first write is done before the release.
 */
export async function drainHeld({ target, grouping }: MeasuredStack, drain: HeldDrain): Promise<DrainRun> {
  const { url, arrived, changes, hold, begin, failure, onHeld } = drain
  const [holder, reader] = [await connectTo(url), await connectTo(url)]
  try {
    await target.query('checkpoint')
    await holder.query('begin')
    await holder.query(hold)
    await begin()
    await untilConsumersWait(target, failure)
    onHeld()
    const load = currentLoad()
    const processors = watchProcessors(grouping)
    const startedAt = performance.now()
    await holder.query('rollback')
    try {
      await untilArrived(reader, arrived, failure)
      const end = await untilEqual(reader, drain, processors)
      return { ...rates(end, { startedAt, changes }), load, isEqual: end.isEqual }
    } finally {
      processors.stop()
    }
  } finally {
    await Promise.all([holder.end(), reader.end()])
  }
}

/** The lock that holds apply and nothing else. The archive has other rows in this table, which stay free. */
export const holdOfApply = `select from tidemark.progress where consumer = 'tidemark-latest-state' and topic = 'changes' for update`

const EQUAL_WITHIN_MS = 30_000

/** When a drain ended, and the processor time that was used until then. */
export type DrainEnd = { readonly at: number; readonly used: ProcessorSeconds; readonly isEqual: boolean }

/** A drain's figures, from times in milliseconds. */
export function rates(
  { at, used }: DrainEnd,
  { startedAt, changes }: { startedAt: number; changes: number },
): Pick<DrainRun, 'seconds' | 'changesPerSecond' | 'microsPerChange'> {
  const ms = at - startedAt
  return {
    seconds: Math.round(ms) / 1000,
    changesPerSecond: Math.round((changes / ms) * 1000),
    microsPerChange: Object.fromEntries(
      Object.entries(used).map(([group, seconds]) => [group, Math.round((seconds * 1e7) / changes) / 10]),
    ),
  }
}

/**
 * The last rows may be visible before what was written beside them, so the drain ends when the state is that of the
 * source. Clock and processor time are read before the comparison that finds it equal, because in a large table the
 * comparison takes longer than the drain itself.
 */
async function untilEqual(
  reader: pg.Client,
  { state, expected }: Pick<HeldDrain, 'state' | 'expected'>,
  processors: ProcessorWatch,
): Promise<DrainEnd> {
  const deadline = performance.now() + EQUAL_WITHIN_MS
  for (;;) {
    const end = { at: performance.now(), used: processors.read() }
    if (isDeepStrictEqual(await state(reader), expected)) return { ...end, isEqual: true }
    if (end.at > deadline) return { ...end, isEqual: false }
    await pause(LOOK_EVERY_MS)
  }
}

const LOOK_EVERY_MS = 25
const FAILURE_EVERY_LOOKS = 80
const LONGEST_DRAIN_MS = 1_800_000

async function untilArrived(reader: pg.Client, arrived: string, failure: HeldDrain['failure']): Promise<void> {
  const deadline = performance.now() + LONGEST_DRAIN_MS
  for (let look = 1; !(await reader.query<{ arrived: boolean }>(arrived)).rows[0]!.arrived; look++) {
    const reason = look % FAILURE_EVERY_LOOKS === 0 ? await failure?.() : undefined
    if (reason !== undefined) throw new Error(reason)
    if (performance.now() > deadline) throw new Error('the drain has not ended within half an hour')
    await pause(LOOK_EVERY_MS)
  }
}
