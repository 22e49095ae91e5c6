import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestDatabase } from '#test-support/databases/database.ts'
import { createHostileDatabase, hostileUrl } from '#test-support/databases/hostile-settings.ts'
import { initialisePgbench, runPgbench } from '#test-support/databases/pgbench.ts'
import { until } from '#test-support/eventually.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { isEqual } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'

// Every setting that could change a value has another value on both sides, for the database and for the roles in it.
let databases: TestDatabase[]
let pipeline: TestPipeline
let application: pg.Client

beforeAll(async () => {
  databases = [await createHostileDatabase('source'), await createHostileDatabase('target')]
  const [sourceUrl, targetUrl] = databases.map(({ url }) => withPassword(url)) as [string, string]
  application = new pg.Client({ connectionString: hostileUrl(sourceUrl) })
  await application.connect()
  await application.query(`create table ${EXACT}`)
  await application.query(`insert into exact (id) values (1), (2)`)
  pipeline = await startPipeline({ sourceUrl, targetUrl })
})
afterAll(async () => {
  await application?.end()
  await pipeline?.stop()
  for (const database of databases ?? []) await database.drop()
})

const EXACT = `exact (
  id int primary key,
  share float8 default 0.1,
  long interval default '-1 day +02:00:00',
  code bytea default decode('005cff', 'hex'),
  at timestamptz default '2020-03-02 01:00:00+00',
  day date default '2020-03-02',
  price money default '1234.5',
  shares float8[] default '{0.1,-0.30000000000000004}',
  words text[] default array['null', null, 'a\\b'],
  path text default chr(92) || 'n',
  check (isfinite(long)),
  check (abs(extract(hour from long)) < 2147483647::numeric),
  check (array_ndims(shares) = 1 and array_lower(shares, 1) = 1),
  check (array_ndims(words) = 1 and array_lower(words, 1) = 1))`

/** Row 1 as history shows it before its update, after the table was altered. */
const EXACT_ROW = {
  id: 1,
  share: 0.1,
  long: '-1 days +02:00:00',
  code: '\\x005cff',
  at: '2020-03-02 01:00:00+00',
  day: '2020-03-02',
  price: '$1,234.50',
  shares: [0.1, -0.30000000000000004],
  // With array_nulls off and literals with backslashes, these are the values that the application stored.
  words: ['null', null, expect.any(String)],
  way: '\\n',
  added: '2020-12-11',
  more: '\\x5c00',
}

function withPassword(text: string): string {
  const url = new URL(text)
  url.password ||= 'any'
  return url.href
}

async function expectEqual(): Promise<Record<string, number | null>> {
  const comparison = await pipeline.compare()
  expect(isEqual(comparison) || describeComparison(comparison)).toBe(true)
  expect(comparison.uncaptured).toEqual([])
  const failures = await pipeline.source.query('select message from tidemark.contract_failure')
  expect(failures.rows).toEqual([])
  return Object.fromEntries(comparison.tables.map(({ table, targetRows }) => [table, targetRows]))
}

test('rows that were read, and those that were streamed after the table was altered, are equal and so is their history', async () => {
  // The initial snapshot must read the rows before they are changed.
  await expectEqual()
  await application.query('insert into exact (id) values (3)')
  await application.query(
    `alter table exact add added date default '2020-12-11', add more bytea default decode('5c00', 'hex')`,
  )
  await application.query(`alter table exact rename path to way`)
  await application.query(`update exact set share = share * 3, day = '2021-02-03' where id = 1`)
  await application.query(`alter table exact drop column words`)
  await application.query('insert into exact (id) values (4)')
  await application.query('delete from exact where id = 2')

  const rows = await expectEqual()

  expect(rows['public.exact']).toBe(3)
  const reader = new pg.Client({ connectionString: hostileUrl(pipeline.engine.endpoints.reader) })
  await reader.connect()
  const history = await reader.query({
    text: `select op, before::text, after::text, changed::text from tidemark.history('public.exact', '{"id": 1}')`,
  })
  await reader.end()
  const changes = history.rows.map(({ op, before, after, changed }) => ({
    op,
    ...{ before: JSON.parse(before), after: JSON.parse(after), changed: JSON.parse(changed) },
  }))
  expect(changes.find(({ op }) => op === 'update')).toEqual({
    op: 'update',
    before: EXACT_ROW,
    after: { ...EXACT_ROW, share: 0.30000000000000004, day: '2021-02-03' },
    changed: { share: [0.1, 0.30000000000000004], day: ['2020-03-02', '2021-02-03'] },
  })
})

test('Chinook, with its tables altered, is equal', async () => {
  await application.query(await readFile(new URL('../../fixtures/chinook.sql', import.meta.url), 'utf8'))
  await application.query(
    `alter table invoice add paid timestamptz default '2020-03-02 01:00+00', alter total type numeric(12, 3)`,
  )
  await application.query(`update invoice set billing_city = billing_city || '\\\\' where invoice_id % 7 = 0`)

  const rows = await expectEqual()

  expect(rows).toMatchObject({ 'public.track': 3503, 'public.playlist_track': 8715, 'public.invoice': 412 })
})

test('pgbench is equal', async () => {
  const url = hostileUrl(pipeline.engine.endpoints.source)
  await initialisePgbench(url, 1)
  const stop = new AbortController()
  const running = runPgbench(url, 2, 1, stop.signal)
  try {
    await until('a few transactions', async () => {
      const { rows } = await pipeline.source.query('select count(*)::int as n from public.pgbench_history')
      return rows[0].n > 300
    })
    await application.query(`alter table pgbench_branches add opened date not null default '2020-02-29'`)
    await application.query('alter table pgbench_history add id bigint generated by default as identity')
  } finally {
    stop.abort()
  }
  const committed = await running

  const rows = await expectEqual()

  expect(rows).toMatchObject({ 'public.pgbench_accounts': 100_000, 'public.pgbench_history': committed })
})
