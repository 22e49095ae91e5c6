import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inspectSource } from '#preflight/source-inspection.ts'
import { histories } from '#test-support/histories/history.ts'
import { judgeHistory } from '#test-support/histories/history-verdict.ts'
import { playHistory } from '#test-support/histories/run-history.ts'
import { OTHER_MAJORS } from '#test-support/install-postgres.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { startServer } from '#test-support/postgres-server.ts'
import { type CorpusType, readCorpus, readTypeDefinitions } from '#test-support/type-corpus/corpus.ts'
import { createLaterTable, createTypeTable, prepareTypeRules } from '#test-support/type-corpus/corpus-tables.ts'
import { type Comparison, compareDatabases, isEqual } from '#verify/compare-databases.ts'

const seed = Number(process.env['TIDEMARK_SEED'] ?? 14_181)
const HISTORIES = 2
const STEPS = 40
/** The major that added a type of the corpus, when it is not the oldest one. */
const SINCE: Readonly<Record<string, number>> = { 'numeric(5,-2)': 15, 'numeric(3,5)': 15 }

// Postgres 17 is the source in every other test.
describe.each(OTHER_MAJORS)('a source of Postgres %i', (major) => {
  let server: { url: string; stop: () => Promise<void> }
  let session: pg.Client
  let pipeline: TestPipeline
  const carried: CorpusType[] = []

  const inTransaction = async (work: () => Promise<unknown>) => {
    await session.query('begin')
    await work()
    await session.query('commit')
  }

  const expectEqual = async (tables: readonly string[]) => {
    const { source, reader: target } = pipeline.engine.endpoints
    const comparison = await compareDatabases({ source, target, waitMs: 300_000 })
    expect(differences(comparison)).toEqual([])
    expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
    expect(comparison.tables.map(({ table }) => table)).toEqual(expect.arrayContaining([...tables]))
  }

  beforeAll(async () => {
    server = await startServer(major)
    const url = new URL(server.url)
    await withClient(server.url, (client) => client.query('create database source template template0'))
    Object.assign(url, { pathname: '/source', password: 'any' })
    session = new pg.Client({ connectionString: url.href })
    await session.connect()
    await makeSource()
    pipeline = await startPipeline({ sourceUrl: url.href })
  }, 900_000)

  afterAll(async () => {
    await session?.end()
    await pipeline?.stop()
    await server?.stop()
  })

  /** Makes a table for each family of types with their values, and tables of generated columns. */
  async function makeSource() {
    await prepareTypeRules(session)
    await inTransaction(async () => {
      await session.query(readTypeDefinitions())
      for (const of of readCorpus().filter(({ type }) => major >= (SINCE[type] ?? 0))) {
        const { refusal } = await createTypeTable(session, of)
        if (refusal === undefined) carried.push(of)
        await session.query(`drop table type_${of.number}`)
      }
      await createFamilies('early')
      for (const [name, columns] of generatedTables(major)) {
        await session.query(`create table ${name} (${columns}); insert into ${name} (a) values (1), (2), (3)`)
      }
    })
  }

  async function createFamilies(when: 'early' | 'late') {
    for (const family of families()) {
      await createLaterTable(
        session,
        `${when}_${family}`,
        carried.filter((of) => nameOf(of) === family),
      )
    }
  }

  const families = () => new Set(carried.map(nameOf))

  test('is ready by the preflight, which leaves nothing behind', async () => {
    await withClient(pipeline.engine.endpoints.source, async (client) => {
      const { findings, tables } = await inspectSource(client, ['public'])

      expect(findings.filter(({ level }) => level === 'problem')).toEqual([])
      expect(findings).toContainEqual(expect.objectContaining({ level: 'ok', subject: 'version' }))
      expect(tables.filter(({ refusals }) => refusals.length > 0).map(({ name }) => name)).toEqual([])
    })
  })

  test('has every type that is carried arrive as it is: read, inserted, updated, deleted, and read later', async () => {
    for (const family of families()) {
      await session.query(`
        create temp table copied as select * from early_${family};
        update copied set id = id + 1000;
        insert into early_${family} select * from copied;
        update early_${family} set id = -id where id < 1000;
        delete from early_${family} where id % 3 = 0;
        drop table copied`)
    }
    await inTransaction(() => createFamilies('late'))

    await expectEqual([...families()].flatMap((family) => [`public.early_${family}`, `public.late_${family}`]))
  })

  test('has generated columns, with and without a key, computed as the source does; their owner can write', async () => {
    const names = generatedTables(major).map(([name]) => name)
    for (const name of names) {
      await session.query(`update ${name} set a = a + 10 where a = 1; delete from ${name} where a = 2`)
      await session.query(`insert into ${name} (a) values (4)`)
    }
    await session.query('alter table stored_keyless add later int generated always as (a * 3) stored')
    await session.query('update stored_keyless set a = a + 100')

    await expectEqual(names.map((name) => `public.${name}`))
    const { rows } = await pipeline.target.query('select a, b, later from public.stored_keyless order by a')
    expect(rows).toEqual([103, 104, 111].map((a) => ({ a, b: a * 2, later: a * 3 })))
  })

  test(`has ${HISTORIES} random histories end equal (TIDEMARK_SEED=${seed})`, async () => {
    const { source, reader: target } = pipeline.engine.endpoints
    for (const [number, history] of fc.sample(histories(STEPS), { seed, numRuns: HISTORIES }).entries()) {
      const { script, succeeded } = await playHistory(source, `h${number}_`, history)
      const problem = await judgeHistory({ source, target }, `h${number}_`, 300_000)

      expect(problem, script.join('\n')).toBeUndefined()
      expect(succeeded).toBeGreaterThan(STEPS / 2)
    }
  })
})

/** Tables with generated columns, by name. Virtual columns exist since 18; a keyless table with one is refused. */
const generatedTables = (major: number): [string, string][] => [
  ['stored_keyed', 'a int primary key, b int generated always as (a * 2) stored'],
  ['stored_keyless', 'a int, b int generated always as (a * 2) stored'],
  ['stored_full', "a int primary key, way path default '((0,0),(1,1))', b int generated always as (a * 2) stored"],
  ...(major >= 18
    ? ([['virtual_keyed', 'a int primary key, b int generated always as (a * 2)']] as [string, string][])
    : []),
]

const nameOf = ({ family }: CorpusType): string => family.replaceAll('-', '_')

const differences = ({ tables, stopped, uncaptured, onlyInTarget }: Comparison): unknown[] => [
  ...tables.filter(
    ({ sourceRows, targetRows, differing, problem }) =>
      sourceRows !== targetRows || differing > 0 || problem !== undefined,
  ),
  ...stopped,
  ...uncaptured,
  ...onlyInTarget,
]

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
