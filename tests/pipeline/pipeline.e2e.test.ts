import { readFile } from 'node:fs/promises'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectApi } from '#adapters/connect/connect-api.ts'
import { statusOf } from '#adapters/connect/connector-states.ts'
import { feedTrips, loadTrips, prepareTaxiTables } from '#feed/taxi-feed.ts'
import { connectLogin } from '#localstack/assembly/local-account.ts'
import { until } from '#test-support/eventually.ts'
import { processesOf, startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { readableByOthers, tryEveryPort } from '#test-support/ports/strangers.ts'
import { checkArchive } from '#verify/archive/archive-check.ts'
import { isEqual } from '#verify/compare-databases.ts'

let pipeline: TestPipeline

beforeAll(async () => {
  pipeline = await startPipeline()
})
afterAll(async () => {
  await pipeline?.stop()
  expect(pipeline && processesOf(pipeline.settings.directory)).toEqual([])
})

const rowsOf = async (view: string) =>
  (await pipeline.target.query(`select * from ${view} order by 1`).catch(() => undefined))?.rows

async function feed(rows: number, perSecond = Number.POSITIVE_INFINITY): Promise<void> {
  const client = new pg.Client({ connectionString: pipeline.engine.endpoints.source })
  await client.connect()
  try {
    await prepareTaxiTables(client)
    await feedTrips(client, { trips: await loadTrips(), rows, perSecond })
  } finally {
    await client.end()
  }
}

describe('a table of one’s own', () => {
  test('appears in the target with what is written to it from then on', async () => {
    await pipeline.source.query('create table public.pets (id int primary key, name text, born date)')
    await pipeline.source.query(`insert into public.pets values (1, 'Tide', '2020-02-29'), (2, 'Mark', null)`)

    await until('both rows in the target', async () => (await rowsOf('public.pets'))?.length === 2)
  })

  test('follows updates, deletes and changes of the primary key', async () => {
    await pipeline.source.query(`update public.pets set name = 'Ebb' where id = 1`)
    await pipeline.source.query('update public.pets set id = 3 where id = 2')
    await pipeline.source.query(`insert into public.pets values (4, 'gone')`)
    await pipeline.source.query('delete from public.pets where id = 4')

    const comparison = await pipeline.compare()

    expect(isEqual(comparison)).toBe(true)
    expect(await rowsOf('public.pets')).toMatchObject([
      { id: 1, name: 'Ebb' },
      { id: 3, name: 'Mark' },
    ])
  })

  test('that comes with rows and without a key is snapshotted, and again when it gets a key', async () => {
    await pipeline.source.query(
      `create table public.numbers as select g as n, md5(g::text) as digest from generate_series(1, 30000) g`,
    )
    await until('all rows in the target', async () => (await rowsOf('public.numbers'))?.length === 30_000)
    await pipeline.source.query('alter table public.numbers add primary key (n)')
    await pipeline.source.query('update public.numbers set digest = null where n = 1')

    expect(isEqual(await pipeline.compare())).toBe(true)
  })

  test('whose update leaves a large value untouched keeps it', async () => {
    await pipeline.source.query('create table public.photos (id int primary key, seen int, image bytea)')
    const image = `(select string_agg(sha512(g::text::bytea), '') from generate_series(1, 500) g)`
    await pipeline.source.query(`insert into public.photos values (1, 0, ${image})`)
    await pipeline.source.query('update public.photos set seen = 1')
    await pipeline.source.query('update public.photos set id = 2')

    expect(isEqual(await pipeline.compare())).toBe(true)
    expect((await rowsOf('public.photos'))![0]).toMatchObject({ id: 2, seen: 1 })
  })

  test('follows what is done to its columns, and a truncate', async () => {
    await pipeline.source.query('alter table public.pets add column weight numeric default 1.5, drop column born')
    await pipeline.source.query('alter table public.pets rename column name to called')
    await pipeline.source.query(`insert into public.pets (id, called) values (5, 'Spring')`)
    await pipeline.source.query('truncate public.photos')

    expect(isEqual(await pipeline.compare())).toBe(true)
    expect(await rowsOf('public.pets')).toMatchObject([
      { id: 1, called: 'Ebb', weight: '1.5' },
      { id: 3, called: 'Mark', weight: '1.5' },
      { id: 5, called: 'Spring', weight: '1.5' },
    ])
    expect(await rowsOf('public.photos')).toEqual([])
  })

  test('has a history of each row, with who changed it over a shared connection, and why', async () => {
    const shared = await pipeline.source.connect()
    for (const who of ['alice', 'bob']) {
      await shared.query('begin')
      await shared.query('select tidemark.audit(who => $1, why => $2)', [who, 'a better name'])
      await shared.query('update public.pets set called = $1 where id = 1', [`by ${who}`])
      await shared.query('commit')
    }
    shared.release()
    await pipeline.source.query('delete from public.pets where id = 1')
    await pipeline.source.query(`insert into public.pets (id, called) values (1, 'again')`)
    await pipeline.compare()

    const history = await pipeline.target.query(
      `select op, who, why, changed from tidemark.history('public.pets', '{"id":1}')`,
    )
    expect(history.rows.slice(0, 4)).toMatchObject([
      { op: 'insert', who: null },
      { op: 'delete', who: null },
      { op: 'update', who: 'bob', why: 'a better name', changed: { called: ['by alice', 'by bob'] } },
      { op: 'update', who: 'alice', changed: { called: ['Ebb', 'by alice'] } },
    ])
  })

  test('that is dropped goes from the target', async () => {
    await pipeline.source.query('drop table public.pets, public.photos')
    await until('both views are gone', async () => !(await rowsOf('public.pets')) && !(await rowsOf('public.photos')))
  })
})

test('the Chinook database, loaded statement by statement, arrives whole', async () => {
  const script = await readFile(new URL('../../fixtures/chinook.sql', import.meta.url), 'utf8')
  for (const statement of script.split(/;\s*$/m)) await pipeline.source.query(statement)

  const { tables, stopped } = await pipeline.compare()

  const chinook = tables.filter(({ table }) => !/numbers|trips|zones/.test(table))
  expect(chinook).toHaveLength(11)
  expect(chinook.reduce((sum, { targetRows }) => sum + targetRows!, 0)).toBe(15_607)
  expect(tables.filter(({ differing }) => differing > 0)).toEqual([])
  expect(stopped).toEqual([])
})

const killed = ['apply-latest-state', 'connect', 'kafka', 'archive-changes', 'iceberg-catalog', 'object-store'] as const

describe.each(killed)('%s killed during a load', (component) => {
  test('is started again without help, and every row arrives', async () => {
    const load = feed(6_000, 2_000)
    await until('the load to arrive', async () => ((await rowsOf('public.green_trips'))?.length ?? 0) > 0)
    const pid = await until('the process to be there', async () => pipeline.pid(component))
    process.kill(pid, 'SIGKILL')
    await load

    const comparison = await pipeline.compare()

    expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
    expect(pipeline.pid(component)).not.toBe(pid)
  })
})

test('a Connect worker that starts is at no moment taken for one without a connector', async () => {
  const { endpoints } = pipeline.engine
  const connect = connectApi(endpoints.connect, async () => connectLogin(endpoints.key))
  const pid = await until('the process to be there', async () => pipeline.pid('connect'))
  process.kill(pid, 'SIGKILL')

  const failures = new Set<string>()
  const answer = await until('the worker to answer', async () => {
    try {
      const status = await statusOf(connect, 'tidemark')
      return status?.connector.state === 'UNASSIGNED' ? undefined : { status }
    } catch (error) {
      failures.add((error as Error).message)
      return undefined
    }
  })

  expect(answer.status).toBeDefined()
  // The worker listens before its REST API exists, so this moment has been looked at.
  expect([...failures].toSorted()).toEqual([
    expect.stringContaining('does not answer'),
    expect.stringContaining('is starting'),
  ])
})

describe('the producer', () => {
  const invoke = async (payload: object) => {
    const lambda = new LambdaClient({
      endpoint: pipeline.engine.endpoints.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    })
    const answer = await lambda.send(
      new InvokeCommand({ FunctionName: 'tidemark-local-producer', Payload: JSON.stringify(payload) }),
    )
    return { error: answer.FunctionError, result: JSON.parse(answer.Payload!.transformToString()) }
  }

  test('publishes deltas that become the latest state of each user, with a log', async () => {
    const { error } = await invoke({ mode: 'deltas', count: 500, eventsPerSecond: 1000 })
    expect(error).toBeUndefined()

    await until('500 deltas in the log', async () => (await rowsOf('tidemark.user_event_log'))?.length === 500)
    const { rows } = await pipeline.target.query(`
      select count(*)::int as wrong
      from (select distinct on (id) id, op, name, age from tidemark.user_event_log order by id, run desc, event_order desc) l
      full join tidemark.latest_user_state s using (id)
      where (l.op = 'delete') is distinct from (s.id is null) or (s.name, s.age) is distinct from (l.name, l.age) and l.op <> 'delete'`)
    expect(rows).toEqual([{ wrong: 0 }])
  })

  test('simulates rows that arrive', async () => {
    const { error } = await invoke({ mode: 'rows', count: 300, eventsPerSecond: 300 })
    expect(error).toBeUndefined()

    const { tables } = await pipeline.compare()
    expect(tables.find(({ table }) => table === 'public.simulated_accounts')).toMatchObject({ differing: 0 })
    expect((await rowsOf('public.simulated_accounts'))!.length).toBeGreaterThan(0)
  })

  test('answers a malformed payload with the field that is wrong', async () => {
    const { error, result } = await invoke({ mode: 'deltas', count: -1 })
    expect(error).toBe('Unhandled')
    expect(result.errorMessage).toContain('count')
  })
})

describe('strangers on the same machine, and web pages', () => {
  test.runIf(process.platform === 'linux')('are refused at every port of the running stack', async () => {
    const { kinds, faults } = await tryEveryPort(pipeline.settings)

    expect(faults).toEqual([])
    expect(kinds).toEqual([...['catalog', 'connect', 'endpoint', 'kafka', 'object store', 'postgres', 'runtime API']])
  })

  test('may read nothing that the stack keeps', async () => {
    expect(await readableByOthers(pipeline.settings.directory)).toEqual([])
  })
})

test('the archive has each record of all that once, as it is in its topic', async () => {
  const options = { signal: new AbortController().signal, onProgress: () => undefined }

  const { archivedRecords, archiveMismatches } = await checkArchive(pipeline.engine, options)

  expect(archivedRecords).toBeGreaterThan(80_000)
  expect(archiveMismatches).toBe(0)
})
