import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectHeaders } from '#test-support/capture/stopped-capture.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { until } from '#test-support/eventually.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'

/** A message of the replication stream with its lsn: BEGIN, insert, logical message or COMMIT. */
type Message = { kind: 'B' | 'I' | 'M' | 'C'; lsn: number }

let source: TestDatabase
let pipeline: TestPipeline

beforeAll(async () => {
  source = await createDatabase('empty')
  await source.pool.query('create table public.item (id int primary key, note text)')
  const url = new URL(source.url)
  url.password ||= 'any'
  pipeline = await startPipeline({ sourceUrl: url.href })
  await source.pool.query(`insert into public.item values (0, 'before')`)
  await pipeline.compare()
  await source.pool.query(`select pg_create_logical_replication_slot('stored_offsets_probe', 'pgoutput')`)
})
afterAll(async () => {
  await source?.pool.query(`select pg_drop_replication_slot('stored_offsets_probe')`)
  await pipeline?.stop()
  await source?.drop()
})

test('stopped after the first of the rows that share an lsn, it sends them all', async () => {
  const messages = await whileStopped(async () => {
    await source.pool.query(`copy public.item from program 'printf "11\\ta\\n12\\tb\\n13\\tc\\n"'`)
  })
  const rows = messages.filter(({ kind }) => kind === 'I')
  expect(new Set(rows.map(({ lsn }) => lsn)).size).toBe(1)

  await resumeAt({ lsn_proc: rows[0]!.lsn, lsn_events_processed: 1, messageType: 'INSERT' })

  await expectArrived([11, 12, 13])
})

test('stopped at a message after rows that share an lsn, it sends the row that has the lsn of the message', async () => {
  const messages = await whileStopped(async () => {
    await inTransaction(async (client) => {
      await client.query(`copy public.item from program 'printf "21\\ta\\n22\\tb\\n"'`)
      await client.query(`select pg_logical_emit_message(true, 'audit', '{}')`)
      await client.query(`insert into public.item values (23, 'c')`)
      await client.query(`insert into public.item values (24, 'd')`)
    })
  })
  const message = messages.find(({ kind }) => kind === 'M')!
  expect(messages.filter(({ kind }) => kind === 'I')[2]!.lsn).toBe(message.lsn)

  await resumeAt({ lsn_proc: message.lsn, lsn_events_processed: 2, messageType: 'MESSAGE' })

  await expectArrived([23, 24])
})

test.each(['BEGIN', 'COMMIT'])(
  'stopped at a %s, it sends a transaction that was open at the commit before',
  async (messageType) => {
    const first = messageType === 'BEGIN' ? 31 : 41
    const messages = await whileStopped(async () => {
      await inTransaction(async (client) => {
        await client.query(`insert into public.item values (${first}, 'open'), (${first + 1}, 'open')`)
        await source.pool.query(`insert into public.item values (${first + 5}, 'between')`)
        await client.query(`insert into public.item values (${first + 2}, 'at the end of the commit')`)
        await client.query(`insert into public.item values (${first + 3}, 'after')`)
      })
    })
    const commit = messages.find(({ kind }) => kind === 'C')!
    expect(messages.filter(({ kind }) => kind === 'I').map(({ lsn }) => lsn)).toContain(commit.lsn)

    await resumeAt({ lsn_proc: commit.lsn, lsn_commit: commit.lsn, messageType })

    await expectArrived([first, first + 1, first + 2, first + 3])
  },
)

// This test is the last one, because it leaves changes out.
test('a slot that begins behind the stored place fails the task, also after a blocking snapshot', async () => {
  await whileStopped(async () => {
    await source.pool.query(`insert into public.item values (51, 'left out')`)
  })
  const { rows } = await source.pool.query(
    `select (confirmed_flush_lsn - '0/0')::float8 as lsn, pg_replication_slot_advance(slot_name, pg_current_wal_insert_lsn())
    from pg_replication_slots where slot_name like 'tidemark%'`,
  )

  await resumeAt({ lsn_proc: rows[0].lsn, lsn_commit: rows[0].lsn, messageType: 'COMMIT', snapshot: 'BLOCKING' })

  const task = async () =>
    ((await connect('GET', '/status')) as { tasks: { state: string; trace?: string }[] }).tasks[0]
  await until('the task to fail', async () => (await task())?.state === 'FAILED')
  expect((await task())!.trace).toMatch(/it was advanced, or dropped and created again, and changes between are lost/)
})

/** Stops the connector, lets `write` commit, and returns the messages that the stream will have. */
async function whileStopped(write: () => Promise<void>): Promise<Message[]> {
  await stopBehindBeacons()
  await source.pool.query(`select pg_replication_slot_advance('stored_offsets_probe', pg_current_wal_insert_lsn())`)
  await write()
  const { rows } = await source.pool.query(`
    select chr(get_byte(data, 0)) as kind, (lsn - '0/0')::float8 as lsn
    from pg_logical_slot_peek_binary_changes('stored_offsets_probe', null, null,
      'proto_version', '1', 'publication_names', 'tidemark', 'messages', 'true')
    where get_byte(data, 0) in (ascii('B'), ascii('I'), ascii('M'), ascii('C'))`)
  return rows
}

/**
 * Stops the connector when no unsent beacon is in the log. With a stored place after such a beacon, the beacon would
 * never be sent, so the connector is started and stopped again.
 */
async function stopBehindBeacons(): Promise<void> {
  for (;;) {
    await connect('PUT', '/stop')
    await until('a slot that nobody reads', async () => {
      const { rows } = await source.pool.query(
        `select active from pg_replication_slots where slot_name like 'tidemark%'`,
      )
      return rows.length === 1 && !rows[0].active
    })
    if (await isNewestBeaconApplied(Date.now() + 10_000)) return
    await connect('PUT', '/resume')
    await pipeline.compare()
  }
}

async function isNewestBeaconApplied(deadline: number): Promise<boolean> {
  const { rows } = await source.pool.query('select max(number)::int as newest from tidemark.beacon')
  for (; Date.now() < deadline; await pause(50)) {
    const applied = await pipeline.target.query(
      `select min(beacon_number)::int as n from tidemark.progress where topic = 'changes' and consumer = 'tidemark-latest-state'`,
    )
    if (applied.rows[0].n === rows[0].newest) return true
  }
  return false
}

async function inTransaction(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await source.pool.connect()
  try {
    await client.query('begin')
    await work(client)
    await client.query('commit')
  } finally {
    client.release()
  }
}

/** Starts the connector as if it had been stopped with this place stored. */
async function resumeAt(place: { lsn_proc: number; [part: string]: number | string }): Promise<void> {
  const { offsets } = (await connect('GET', '/offsets')) as { offsets: { offset: Record<string, unknown> }[] }
  const [{ offset: stored, ...rest }] = offsets as [(typeof offsets)[0]]
  const { lsn_events_processed: _, ...others } = stored
  await connect('PATCH', '/offsets', { offsets: [{ ...rest, offset: { ...others, lsn: place.lsn_proc, ...place } }] })
  await connect('PUT', '/resume')
}

/** Inserts a row that comes after all others. When it is visible, the others are visible, too, or were lost. */
async function expectArrived(ids: number[]): Promise<void> {
  const last = ids.at(-1)! + 5
  await source.pool.query(`insert into public.item values (${last}, 'last')`)
  const shown = async () => {
    const { rows } = await pipeline.target.query('select id from public.item where id = any($1)', [[...ids, last]])
    return rows.map(({ id }) => id as number).sort((a, b) => a - b)
  }
  await until('the last row', async () => (await shown()).includes(last))
  await pipeline.compare()
  expect(await shown()).toEqual([...ids, last])
}

async function connect(method: string, path: string, body?: unknown): Promise<unknown> {
  return await until(`${method} ${path}`, async () => {
    const response = await fetch(`http://127.0.0.1:${pipeline.settings.connectPort}/connectors/tidemark${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...connectHeaders(pipeline) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    // The offsets cannot be changed before the task has ended.
    if (!response.ok && (response.status === 400 || response.status === 409)) return false
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? true : JSON.parse(text)
  })
}
