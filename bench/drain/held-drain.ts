import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { currentLoad } from '../machine/machine.ts'
import { type ProcessorSeconds, watchProcessors } from '../machine/processes.ts'
import { connectTo, type MeasuredStack, untilConsumersWait } from '../measured-stack.ts'
import { checksums } from '../workloads/fill.ts'
import type { WorkloadTable } from '../workloads/workload.ts'

/** One drain: a log or topic that was filled while its consumers were held, from their release until all is visible. */
export type DrainRun = {
  readonly seconds: number
  readonly changesPerSecond: number
  /** Microseconds of the processor per change, by group of processes. */
  readonly microsPerChange: ProcessorSeconds
  /** Load average of the last minute before it. */
  readonly load: number
  /** Whether the final state was that of the source; a peer's that never was is measured until half a minute later. */
  readonly isEqual: boolean
}

/** What is drained, and how its consumers are held until it begins. */
export type HeldDrain = {
  /** Of an administrator of the database that is written to. */
  readonly url: string
  /** Those whose state is compared. */
  readonly tables: readonly WorkloadTable[]
  /** A statement whose value `arrived` says whether the last change is there. */
  readonly arrived: string
  /** Checksums of the final state. */
  readonly expected: readonly string[]
  readonly changes: number
  /** Takes a lock that every consumer needs before its first write. */
  readonly hold: string
  readonly begin: () => Promise<void>
  /** Says why it cannot go on. */
  readonly failure?: () => Promise<string | undefined>
  /** Called when the consumers are up and the drain begins. */
  readonly onHeld: () => void
}

/**
 * Drains what is there. The consumers begin behind a lock, so that no start is measured; the clock runs from its release until
 * the state is the expected one. What each of them fetches and reads before its first write is done by then.
 */
export async function drainHeld({ target, grouping }: MeasuredStack, drain: HeldDrain): Promise<DrainRun> {
  const { url, tables, arrived, expected, changes, hold, begin, failure, onHeld } = drain
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
    await untilArrived(reader, arrived, failure)
    // The last rows may be there before what was written beside them: the end is when the state is that of the source.
    const endedAt = await untilEqual(reader, tables, expected)
    const used = processors.stop()
    const ms = (endedAt ?? performance.now()) - startedAt
    const microsPerChange = Object.fromEntries(
      Object.entries(used).map(([group, seconds]) => [group, Math.round((seconds * 1e7) / changes) / 10]),
    )
    return {
      seconds: Math.round(ms) / 1000,
      changesPerSecond: Math.round((changes / ms) * 1000),
      ...{ microsPerChange, load, isEqual: endedAt !== undefined },
    }
  } finally {
    await Promise.all([holder.end(), reader.end()])
  }
}

/** The lock that holds apply. */
export const holdOfApply = `select from tidemark.progress where topic = 'changes' for update`

const EQUAL_WITHIN_MS = 30_000

/** When it was asked for the state that is as expected; undefined where it has not been for half a minute. */
async function untilEqual(
  reader: pg.Client,
  tables: readonly WorkloadTable[],
  expected: readonly string[],
): Promise<number | undefined> {
  const deadline = performance.now() + EQUAL_WITHIN_MS
  for (;;) {
    const askedAt = performance.now()
    if (isDeepStrictEqual(await checksums(reader, tables), expected)) return askedAt
    if (askedAt > deadline) return undefined
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
