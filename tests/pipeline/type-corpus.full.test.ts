import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WITHOUT_TRANSACTION_TIMEOUT } from '#adapters/postgres/session/session-settings.ts'
import type { TestDatabase } from '#test-support/databases/database.ts'
import { createHostileDatabase, soundUrl } from '#test-support/databases/hostile-settings.ts'
import { until } from '#test-support/eventually.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { type CorpusType, readCorpus, readTypeDefinitions } from '#test-support/type-corpus/corpus.ts'
import {
  type Conditions,
  changeKeyTable,
  changeTypeTable,
  createDateTables,
  createKeyTable,
  createLaterTable,
  createTypeTable,
  DATE_ROWS,
  fillKeyTable,
  fillTypeTable,
  prepareTypeRules,
} from '#test-support/type-corpus/corpus-tables.ts'
import { describeTypes, type TypeFinding } from '#test-support/type-corpus/type-report.ts'
import { type Comparison, compareDatabases } from '#verify/compare-databases.ts'

const corpus = readCorpus()
const conditions = new Map<CorpusType, Conditions>()
const keyed = new Set<CorpusType>()
const isCarried = (of: CorpusType) => conditions.get(of)?.refusal === undefined

let source: TestDatabase
let target: TestDatabase
let session: pg.Client
let pipeline: TestPipeline
let comparison: Comparison

beforeAll(async () => {
  source = await createHostileDatabase('source')
  target = await createHostileDatabase('target')
  session = new pg.Client({ connectionString: soundUrl(source.url) })
  await session.connect()
  await session.query(WITHOUT_TRANSACTION_TIMEOUT)
  await prepareTypeRules(session)
  await inTransaction(async () => {
    await session.query(readTypeDefinitions())
    for (const of of corpus) conditions.set(of, await createTypeTable(session, of))
    for (const of of corpus) if (await createKeyTable(session, of)) keyed.add(of)
  })
  // The values that end the connector must not be read, so a refused type has no rows.
  await inTransaction(async () => {
    for (const of of corpus.filter(isCarried)) await fillTypeTable(session, of)
    for (const of of corpus.filter((of) => isCarried(of) && keyed.has(of))) {
      if (!(await fillKeyTable(session, of))) keyed.delete(of)
    }
  })
  const [sourceUrl, targetUrl] = [source, target].map((database) => withPassword(database.url)) as [string, string]
  pipeline = await startPipeline({ sourceUrl, targetUrl })
  await inTransaction(async () => {
    for (const of of corpus.filter(isCarried)) await changeTypeTable(session, of)
    for (const of of corpus.filter((of) => isCarried(of) && keyed.has(of))) await changeKeyTable(session, of)
  })
  for (const family of new Set(corpus.map((of) => of.family))) {
    const types = corpus.filter((of) => of.family === family && isCarried(of))
    await inTransaction(() => createLaterTable(session, `later_${family.replaceAll('-', '_')}`, types))
  }
  await inTransaction(() => createDateTables(session))
  comparison = await compare()
}, 900_000)
afterAll(async () => {
  await session?.end()
  await pipeline?.stop()
  await source?.drop()
  await target?.drop()
})

function withPassword(text: string): string {
  const url = new URL(text)
  url.password ||= 'any'
  return url.href
}

test('every value arrives as it is, or its table is refused or stopped', () => {
  const unequal = comparison.tables.filter(
    ({ sourceRows, targetRows, differing, problem }) =>
      sourceRows !== targetRows || differing > 0 || problem !== undefined,
  )

  expect(unequal.map(({ table, examples, problem }) => ({ of: nameOf(table), problem, examples }))).toEqual([])
  expect(comparison.stopped.map(({ name, reason }) => ({ of: nameOf(name), reason }))).toEqual([])
  expect(comparison.onlyInTarget).toEqual([])
})

test('every type that the rules carry was compared, in each way of reading and writing', () => {
  const compared = new Set(comparison.tables.map(({ table }) => table))

  const expected = corpus.filter(isCarried).map(({ number }) => `public.type_${number}`)

  expect(expected.filter((name) => !compared.has(name))).toEqual([])
  expect(comparison.tables.filter(({ table }) => table.startsWith('public.later_')).length).toBe(
    new Set(corpus.map(({ family }) => family)).size,
  )
})

test('docs/types.md says what this run found', async () => {
  const findings: TypeFinding[] = []
  for (const of of corpus) findings.push(await findingOf(of))

  await expect(describeTypes(findings)).toMatchFileSnapshot('../../docs/types.md')
})

test.each(['days_in_chunks', 'days_at_once'])('days before the year 1 and of 1582 are read as they are: %s', (name) => {
  const read = comparison.tables.filter(({ table }) => table === `public.${name}`)

  expect(read).toMatchObject([{ sourceRows: DATE_ROWS, targetRows: DATE_ROWS, differing: 0 }])
})

test.each(corpus.filter(({ stops }) => stops.length > 0))(
  'a $type that cannot be distinguished stops its table and says which value it is',
  async ({ type, number, stops }) => {
    const reason = await reasonOfStop(`stop_${number}`, `id integer primary key, v ${type}`, stops)

    expect(reason).toMatch(/ is not a timestamp that can be carried exactly/)
  },
)

test.each(corpus.filter(({ keyStops }) => keyStops.length > 0))(
  'a key of $type whose equal keys depend on the database stops its table',
  async ({ type, number, keyStops }) => {
    const reason = await reasonOfStop(`key_stop_${number}`, `id integer, v ${type} primary key`, keyStops)

    expect(reason).toMatch(/has capitals whose lower case depends on the database/)
  },
)

/** Creates the table, waits until it is captured, and inserts the values. Returns the reason of its stop. */
async function reasonOfStop(table: string, columns: string, values: readonly string[]): Promise<string> {
  await session.query(`create table ${table} (${columns})`)
  await until('its capture', async () => {
    const { rows } = await session.query('select state from tidemark.captured_table where table_name = $1', [table])
    return rows[0]?.state === 'captured'
  })
  for (const [i, value] of values.entries()) {
    await session.query(`insert into ${table} values (${i}, ${pg.escapeLiteral(value)})`)
  }
  return until('the stop', async () => {
    const { rows } = await pipeline.target.query('select reason from tidemark.stopped_table where table_name = $1', [
      table,
    ])
    return rows[0]?.reason as string | undefined
  })
}

function compare(): Promise<Comparison> {
  const { source, reader } = pipeline.engine.endpoints
  return compareDatabases({
    source,
    target: reader,
    waitMs: 300_000,
  })
}

async function findingOf(of: CorpusType): Promise<TypeFinding> {
  const { rows } = await session.query(
    `select c.carried, c.key_refusal
     from pg_attribute a
     cross join lateral tidemark.column_type(a.atttypid, a.atttypmod) c
     where a.attrelid = 'type_${of.number}'::regclass
       and a.attname = 'v'`,
  )
  const refused = comparison.uncaptured.find(({ name }) => name === `public.key_${of.number}`)
  const key = !keyed.has(of)
    ? ({ kind: 'none in Postgres' } as const)
    : refused === undefined
      ? ({ kind: 'carried' } as const)
      : ({ kind: 'refused', why: rows[0].key_refusal ?? refused.why } as const)
  return { of, conditions: conditions.get(of)!, stored: rows[0].carried, key }
}

/** A table's name such as `public.type_7`, followed by its type. */
function nameOf(table: string): string {
  const number = /_(\d+)$/.exec(table)?.[1]
  return number === undefined ? table : `${table} ${corpus[Number(number)]!.type}`
}

async function inTransaction(work: () => Promise<void>): Promise<void> {
  await session.query('begin')
  await work()
  await session.query('commit')
}
