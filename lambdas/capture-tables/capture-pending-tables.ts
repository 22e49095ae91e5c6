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
 * What a run came to; `tables` says how far each table is that was not captured when it began, `resync` what came of
 * each table that was asked for: `begun`, or why not.
 */
export type CaptureSummary = { resync?: Record<string, string> } & (
  | { outcome: 'another run will see to it' }
  | { outcome: 'no connector listens yet' }
  | { outcome: 'done'; tables: Record<string, string> }
)

/** `now` in milliseconds. */
export type CaptureOptions = { source: Pool; now: () => number; pause: (ms: number) => Promise<void> }

/** One run works and one waits for it; a further one would only repeat the look that the waiting one is about to take. */
const { captureWorking: WORKING, captureWaiting: WAITING } = ADVISORY_LOCKS

/** A run that sees nothing move for so long leaves the rest to the next. */
const PATIENCE_MS = 5_000

/**
 * Has the tables of `resync` read again. Takes pending tables into the publication, waits for their writers, and has Debezium read those that hold rows.
 * A run ends when nothing is left, when nothing has moved for five seconds, or at `deadline`; runs may overlap.
 * Throws an AggregateError when steps failed for another reason than a lock, after the other tables went on.
 */
export function makeCapturePendingTables({ source, now, pause }: CaptureOptions) {
  return async (deadline: number, resync: readonly string[] = []): Promise<CaptureSummary> => {
    const clock = { now, pause, deadline }
    const client = await source.connect()
    try {
      const begun = resync.length === 0 ? {} : { resync: await beginResyncs(client, resync) }
      if (!(await takeTurn(client, clock))) return { ...begun, outcome: 'another run will see to it' }
      if (!(await isListening(client))) return { ...begun, outcome: 'no connector listens yet' }
      await catchUp(client)
      return { ...begun, outcome: 'done', tables: await captureAll(client, clock) }
    } finally {
      // The turn is a lock of the session: it ends with it, whatever happened.
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
    // What failed is tried again by the next run, not over and over by this one.
    const failed = ({ relation, name, state }: PendingTable) =>
      errors.has(name) || (state === 'pending' && met.get(relation)?.state === 'reading')
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
