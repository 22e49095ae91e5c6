import { setTimeout as pause } from 'node:timers/promises'
import type { SourceDatabase } from '#test-support/databases/source-database.ts'

/** A signal in the form that the source wrote. */
export type Signal = {
  id: string
  type: string
  data: {
    type: string
    'data-collections': string[]
    'additional-conditions'?: { 'data-collection': string; filter: string }[]
  }
}

/** The signals that ask for a snapshot of a table, oldest first. */
export async function readSignals({ pool }: SourceDatabase): Promise<Signal[]> {
  const { rows } = await pool.query(
    `select id, type, data::jsonb as data from tidemark.signal where type like '%-snapshot' order by ctid`,
  )
  return rows
}

/**
 * Does what Debezium does when it reads a table in chunks: it marks the start and end of each chunk with the id of its
 * signal.
 */
export async function markChunk(
  source: SourceDatabase,
  table: string,
  marks: readonly ('open' | 'close')[] = ['open', 'close'],
): Promise<void> {
  const quoted = table.replace(/^(.*)\.(.*)$/, '"$1"."$2"')
  const signal = (await readSignals(source)).findLast(({ data }) => data['data-collections'][0] === quoted)
  const openWindowTimestamp = new Date().toISOString()
  for (const mark of marks) {
    await source.pool.query(`insert into tidemark.signal values (gen_random_uuid(), 'snapshot-window-' || $1, $2)`, [
      mark,
      { openWindowTimestamp, correlationId: signal!.id, dataCollectionId: table },
    ])
  }
  await pause(2)
}

/** Confirms everything that is in the log, as Debezium does after it has sent it. */
export async function confirmLog({ pool, epoch }: SourceDatabase): Promise<void> {
  await pool.query(`select pg_replication_slot_advance($1, pg_current_wal_lsn())`, [`tidemark_e${epoch}`])
}

/**
 * Does what Debezium does when it reads a whole table at once: its session gets the last row and stays open. Returns a
 * function that ends the session, as it ends when the task stops.
 */
export async function readAtOnce(source: SourceDatabase): Promise<() => Promise<void>> {
  const signal = (await readSignals(source)).findLast(({ data }) => data.type === 'blocking')!
  const [, rows] = signal.data['additional-conditions']!
  const client = await source.pool.connect()
  await client.query(`set role tidemark_capture; begin read only; ${rows!.filter}; rollback`)
  return async () => {
    const { rows: left } = await source.pool.query(
      `select pid from pg_locks where locktype = 'advisory' and pid = $1`,
      [(client as unknown as { processID: number }).processID],
    )
    client.release(true)
    for (const { pid } of left) await untilEnded(source, pid)
  }
}

async function untilEnded({ pool }: SourceDatabase, pid: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await pause(10)) {
    const { rowCount } = await pool.query('select from pg_stat_activity where pid = $1', [pid])
    if (rowCount === 0) return
  }
  throw new Error(`session ${pid} did not end`)
}
