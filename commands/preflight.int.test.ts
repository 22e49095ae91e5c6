import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createDatabase, databaseUrl, postgresMajor, type TestDatabase } from '#test-support/database.ts'
import { main } from './preflight.ts'

let database: TestDatabase

async function run(...argv: string[]) {
  const [out, err] = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error')].map((spy) => spy.mockReturnValue())
  const code = await main(argv)
  const result = { code, out: out!.mock.calls.join('\n'), err: err!.mock.calls.join('\n') }
  vi.restoreAllMocks()
  return result
}

beforeEach(async () => {
  database = await createDatabase('empty')
})

afterEach(() => database.drop())

test('a ready source is reported with its tables, and nothing is left in it', async () => {
  await database.pool.query('create table ride (id int primary key); create unlogged table log (line text)')

  const { code, out } = await run(database.url)

  expect(code).toBe(0)
  expect(out).toMatch(/^ok +wal_level +logical$/m)
  expect(out).toMatch(/^left out +public\.log +it is unlogged: its changes are not in the log$/m)
  expect(out).toMatch(/^ready: 1 of 2 tables can be captured/m)
  const left = await database.pool.query(`select from pg_proc where proname = 'table_refusals'`)
  expect(left.rowCount).toBe(0)
})

test('a user without rights is told which SQL gives them', async () => {
  const role = `r_${database.name}`
  await database.pool.query(`create role ${role} login password 'p'; create table ride (id int primary key)`)

  const { code, out } = await run(databaseUrl(database.name, { username: role, password: 'p' }), '--json')

  const inspection = JSON.parse(out)
  const problems = inspection.findings.filter(({ level }: { level: string }) => level === 'problem')
  expect(code).toBe(1)
  expect(problems.map(({ fix }: { fix: string }) => fix)).toEqual([
    `grant create on database "${database.name}" to "${role}";`,
    `alter role "${role}" createrole;`,
    postgresMajor() >= 16 ? `alter role "${role}" replication;` : '-- give the URL of a superuser',
  ])
  expect(inspection.tables[0].refusals).toEqual([
    { reason: `it is owned by postgres, whose rights ${role} does not have`, fix: `grant postgres to ${role}` },
  ])
  await database.pool.query(`drop role ${role}`)
})

// Before version 16 only a superuser may hand the right to replicate on.
test.runIf(postgresMajor() >= 16)('the user that follows the advice can install: no superuser is needed', async () => {
  const role = `r_${database.name}`
  await database.pool.query(`
    create role ${role} login createrole replication password 'p';
    grant create on database ${database.name} to ${role}`)

  const { code, out } = await run(databaseUrl(database.name, { username: role, password: 'p' }))

  expect(code).toBe(0)
  expect(out).toMatch(/^advice +event triggers/m)
  await database.pool.query(`drop owned by ${role}; drop role ${role}`)
})

test('only the schemas asked for are looked at', async () => {
  await database.pool.query(
    'create table ride (id int primary key); create schema city; create table city.stop (id int primary key)',
  )

  const { out } = await run(database.url, '--schema', 'city', '--json')

  expect(JSON.parse(out).tables.map(({ name }: { name: string }) => name)).toEqual(['city.stop'])
})

test.each([
  [['postgres://u@127.0.0.1:1/none'], /^cannot connect to none at 127\.0\.0\.1:1: .*ECONNREFUSED.*Check the URL/],
  [[], /^give the URL of one source/],
  [['shop'], /^give the URL of one source/],
  [['--jsn'], /Unknown option '--jsn'/],
])('%j ends with exit code 2 and one line that says what to do', async (argv, message) => {
  const { code, out, err } = await run(...argv)

  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(message)
})

test('--help tells the usage', async () => {
  expect(await run('--help')).toMatchObject({
    code: 0,
    out: expect.stringContaining('npm run preflight -- <source url>'),
  })
})
