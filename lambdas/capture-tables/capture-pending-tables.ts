import type { ClientBase, Pool } from 'pg'
import {
  beginResyncs,
  catchUp,
  howFar,
  isListening,
  type PendingTable,
  tryLock,
  tryStep,
  uncaptured,
  unlock,
} from '#adapters/postgres/capture/pending-tables.ts'
import { ADVISORY_LOCKS } from '#adapters/postgres/session/advisory-locks.ts'

/**
 * Result of a run. `tables` has the state of each table that was not captured when the run began. `resync` has the
 * result for each table that was asked for: `begun`, or the reason why not.
 */
export type CaptureSummary = { resync?: Record<string, string> } & (
  | { outcome: 'another run captures them' }
  | { outcome: 'no connector listens yet' }
  | { outcome: 'done'; tables: Record<string, string> }
)

/** `now` in milliseconds. */
export type CaptureOptions = { source: Pool; now: () => number; pause: (ms: number) => Promise<void> }

/**
 * One run works, and one more waits for it. A third would only look at the same tables as the waiting one, so it ends.
 */
const { captureWorking: WORKING, captureWaiting: WAITING } = ADVISORY_LOCKS

/** A run that sees no progress for this long leaves the rest to the next run. */
const PATIENCE_MS = 5_000

/**
 * Begins a resync of the tables of `resync`. Adds pending tables to the publication, waits for transactions that write
 * to them, and asks Debezium for a snapshot of each table that has rows. A run ends when nothing is left, when nothing has moved for
 * five seconds, or at `deadline`; runs may overlap. Throws an AggregateError when steps failed for another reason than
 * a lock, after the other tables went on.
 */
export function makeCapturePendingTables({ source, now, pause }: CaptureOptions) {
  return async (deadline: number, resync: readonly string[] = []): Promise<CaptureSummary> => {
    const clock = { now, pause, deadline }
    const client = await source.connect()
    try {
      const begun = resync.length === 0 ? {} : { resync: await beginResyncs(client, resync) }
      if (!(await takeTurn(client, clock))) return { ...begun, outcome: 'another run captures them' }
      if (!(await isListening(client))) return { ...begun, outcome: 'no connector listens yet' }
      await catchUp(client)
      return { ...begun, outcome: 'done', tables: await captureAll(client, clock) }
    } finally {
      // The lock of the turn belongs to the session, so closing the session releases it in every case.
      client.release(true)
    }
  }
}

async function takeTurn(client: ClientBase, { now, pause, deadline }: Clock): Promise<boolean> {
  if (!(await tryLock(client, WAITING))) return false
  while (!(await tryLock(client, WORKING))) {
    if (now() >= deadline) return false
    await pause(50)
  }
  await unlock(client, WAITING)
  return true
}

type Clock = Omit<CaptureOptions, 'source'> & { deadline: number }

async function captureAll(client: ClientBase, { now, pause, deadline }: Clock): Promise<Record<string, string>> {
  const met = new Map<string, PendingTable>()
  const errors = new Map<string, Error>()
  for (let movedAt = now(); now() < Math.min(deadline, movedAt + PATIENCE_MS); await pause(50)) {
    // A step that failed is tried again by the next run, and not repeatedly by this one.
    const failed = ({ relation, name, state }: PendingTable) =>
      errors.has(name) || (state === 'pending' && met.get(relation)?.state === 'snapshotting')
    const tables = (await uncaptured(client)).filter((table) => !failed(table))
    if (tables.length === 0) break
    for (const table of tables) {
      if (met.get(table.relation)?.progress !== table.progress) movedAt = now()
      met.set(table.relation, table)
      const error = await tryStep(client, table)
      if (error !== undefined) errors.set(table.name, error)
    }
  }
  if (errors.size > 0) {
    const messages = [...errors].map(([name, error]) => `${name}: ${error.message}`)
    throw new AggregateError(errors.values(), `not every table could be captured. ${messages.join('; ')}`)
  }
  return howFar(client, [...met.keys()])
}
