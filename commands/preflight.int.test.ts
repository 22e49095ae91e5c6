import { Readable } from 'node:stream'
import pg from 'pg'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { readSourceFacts } from '#preflight/source-facts.ts'
import { inspectSource, judgeServer } from '#preflight/source-inspection.ts'
import { createDatabase, databaseUrl, postgresMajor, type TestDatabase } from '#test-support/databases/database.ts'
import { main } from './preflight.ts'

let database: TestDatabase

const run = (...argv: string[]) => runWith(Readable.from([]), ...argv)

async function runWith(input: Readable, ...argv: string[]) {
  const [out, err] = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error')].map((spy) => spy.mockReturnValue())
  const code = await main(argv, input)
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

test('for a user without rights, the SQL that grants them is printed', async () => {
  const role = `r_${database.name}`
  await database.pool.query(`create role ${role} login password 'p'; create table ride (id int primary key)`)

  const { code, out } = await run(databaseUrl(database.name, { username: role, password: 'p' }), '--json')

  const inspection = JSON.parse(out)
  const problems = inspection.findings.filter(({ level }: { level: string }) => level === 'problem')
  expect(code).toBe(1)
  expect(problems.map(({ fix }: { fix: string }) => fix)).toEqual([
    `grant create on database "${database.name}" to "${role}";`,
    `alter role "${role}" createrole;`,
    expect.stringMatching(
      postgresMajor() >= 16 ? `^alter role "${role}" replication;$` : '^alter role .* superuser; -- ',
    ),
  ])
  expect(inspection.tables[0].refusals).toEqual([
    { reason: `it is owned by postgres, whose rights ${role} does not have`, fix: `grant postgres to ${role}` },
  ])
  await database.pool.query(`drop role ${role}`)
})

test('each statement that is printed is taken by the server, and what it is about is then in order', async () => {
  const role = `r_${database.name}`
  for (const statement of [
    `create role ${role} login password 'p'`,
    `create table ride (id int primary key, "Id" int, long interval, taken date[])`,
    `create table own (id int primary key); alter table own enable row level security; alter table own replica identity nothing`,
    `begin; create table waiting (id int); prepare transaction '${database.name}'''`,
  ]) {
    await database.pool.query(statement)
  }
  const todo = async () => {
    const client = new pg.Client({ connectionString: databaseUrl(database.name, { username: role, password: 'p' }) })
    await client.connect()
    const { findings, tables } = await inspectSource(client, ['public'], 0).finally(() => client.end())
    const fixes = findings.flatMap(({ fix, subject }) => (isOfServer(subject) || fix === null ? [] : fix.split('\n')))
    const isOurs = (fix: string) => !fix.includes('commit prepared') || fix.includes(database.name)
    return [...fixes.filter(isOurs), ...tables.flatMap(({ refusals }) => refusals.map(({ fix }) => fix))]
  }

  const printed = await todo()
  for (const statement of printed) await database.pool.query(statement)

  expect(printed.length).toBeGreaterThanOrEqual(7)
  // How to end a prepared transaction is for its owner to decide, so that line is only a comment.
  const waiting = `-- in ${database.name}, either commit prepared '${database.name}'''; or rollback prepared '${database.name}''';`
  expect(printed).toContain(waiting)
  expect((await todo()).filter((fix) => fix === waiting)).toHaveLength(1)
  await database.pool.query(`commit prepared '${database.name}'''`)
  // Only a superuser may create event triggers, so that advice stays. A grant to the user may make further tables
  // visible.
  expect((await todo()).filter((fix) => !/^-- end each migration/.test(fix))).toEqual([])
  await database.pool.query(`drop owned by ${role}; drop role ${role}`)
})

/** Findings about the whole server, which other tests use at the same time. */
const isOfServer = (subject: string) =>
  ['max_slot_wal_keep_size', 'idle_replication_slot_timeout', 'open transactions', 'version'].includes(subject)

test.runIf(postgresMajor() >= 17)(
  'the SQL that turns event triggers on again is printed for a user who can create them',
  async () => {
    await database.pool.query(`alter database ${database.name} set event_triggers = off`)
    const problems = async () => {
      const { out } = await run(database.url, '--json')
      return JSON.parse(out).findings.filter(({ subject }: { subject: string }) => subject === 'event_triggers')
    }

    const [found] = await problems()
    await database.pool.query(found.fix)

    expect(found).toMatchObject({ level: 'problem', fix: `alter database ${database.name} reset event_triggers;` })
    expect(await problems()).toEqual([])
  },
)

test('settings of the server that are printed are those that it starts with', async () => {
  const facts = { walLevel: 'replica', slots: 20, slotsUsed: 20, walSenders: 20, walSendersUsed: 20 }
  const client = await database.pool.connect()
  const found = judgeServer({ ...(await readSourceFacts(client)), ...facts, slotWalKeepMegabytes: -1 })
  const fixes = found.flatMap(({ fix }) => (fix === null ? [] : [fix]))
  const names = ['wal_level', 'max_replication_slots', 'max_wal_senders', 'max_slot_wal_keep_size']
  try {
    for (const fix of fixes) for (const statement of fix.split('; ')) await client.query(statement)

    const { rows } = await client.query('select name, setting from pg_file_settings where name = any ($1)', [names])
    expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
      wal_level: 'logical',
      max_replication_slots: '25',
      max_wal_senders: '25',
      max_slot_wal_keep_size: '50GB',
    })
  } finally {
    for (const name of names) await client.query(`alter system reset ${name}`)
    await client.query('select pg_reload_conf()')
    client.release()
  }
})

test('a database without an encoding is ready while its bytes are UTF-8, and names the tables where they are not', async () => {
  const name = `${database.name}_ascii`
  const provider = postgresMajor() >= 15 ? 'locale_provider libc' : ''
  await database.pool.query(
    `create database ${name} template template0 encoding 'SQL_ASCII' ${provider} lc_collate 'C' lc_ctype 'C'`,
  )
  const client = new pg.Client({ connectionString: databaseUrl(name) })
  await client.connect()
  await client.query(`
    create table good (id int primary key, name text); insert into good values (1, 'Straße');
    create table bad (id int primary key, name text)`)
  const encoding = async () => {
    const { findings, ready } = await inspectSource(client, ['public'])
    const { level, state } = findings.find(({ subject }) => subject === 'encoding')!
    return { ready, level, state }
  }

  const before = await encoding()
  await client.query(`set client_encoding = 'SQL_ASCII'; insert into bad values (1, E'Stra\\337e')`)
  await client.query(`set client_encoding = 'UTF8'`)
  const after = await encoding()

  await client.end()
  await database.pool.query(`drop database ${name}`)
  expect(before).toMatchObject({ ready: true, level: 'advice' })
  expect(after).toMatchObject({
    ready: false,
    level: 'problem',
    state: expect.stringContaining('public.bad are not UTF-8'),
  })
})

// Before version 16 only a superuser may grant the right to replicate.
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

test('the URL, which has a password, need not be an argument', async () => {
  // Other tests use slots of the same server at the same time.
  const withoutFree = ({ out, ...rest }: Awaited<ReturnType<typeof run>>) => ({
    ...rest,
    out: out.replace(/\d+(?= of \d+ free)/g, 'N'),
  })
  const onInput = withoutFree(await runWith(Readable.from([`${database.url}\n`]), '-'))
  vi.stubEnv('TIDEMARK_SOURCE_URL', database.url)
  const inEnvironment = withoutFree(await run())
  vi.unstubAllEnvs()

  expect(onInput).toMatchObject({ code: 0, out: expect.stringMatching(/^ready: /m) })
  expect(inEnvironment).toEqual(onInput)
})

test('a schema that there is not is a wrong argument, with those near it', async () => {
  await database.pool.query('create schema city')

  expect(await run(database.url, '--schema', 'public', '--schema', 'citi')).toEqual({
    code: 2,
    out: '',
    err: 'there is no schema citi: did you mean city?',
  })
  expect(await run(database.url, '--schema', 'nosuch')).toMatchObject({
    code: 2,
    err: 'there is no schema nosuch: there are city, public',
  })
})

test.each([
  [['postgres://u@127.0.0.1:1/none'], /^cannot connect to none at 127\.0\.0\.1:1: .*ECONNREFUSED.*Check the URL/],
  [[], /^give the URL of one source.*TIDEMARK_SOURCE_URL/],
  [['-'], /^give the URL of one source/],
  [['shop'], /^give the URL of one source/],
  [['--jsn'], /Unknown option '--jsn'/],
])('%j ends with exit code 2 and one line that says what to do', async (argv, message) => {
  const { code, out, err } = await run(...argv)

  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(message)
})

test('--help prints the usage', async () => {
  expect(await run('--help')).toMatchObject({
    code: 0,
    out: expect.stringContaining('npm run preflight -- <source url>'),
  })
})

test('columns with values near the limit of a change are named, and a table that cannot be looked through is, too', async () => {
  await database.pool.query(`
    create table document (id int primary key, title text, body text, scan bytea);
    create table note (body text);
    create table slow (body text);
    insert into document values (1, 'short', repeat('x', 34000000), decode(repeat('00', 1000000), 'hex'));
    insert into note values (repeat('x', 20000000));
    insert into slow select string_agg(md5(n::text), '') from generate_series(1, 20000) n`)

  const before = await run(database.url)
  expect(before.code).toBe(0)
  expect(before.out).toMatch(
    /large values +public\.document\.body 34\.0 MB; public\.note\.body 20\.0 MB, twice in an update: a change/,
  )

  await database.pool.query('truncate document, note')
  expect((await run(database.url)).out).toMatch(/^ok +large values +0\.6 MB at most$/m)

  await database.pool.query(`create role r_${database.name} login password 'p' in role pg_read_all_stats`)
  const client = new pg.Client(databaseUrl(database.name, { username: `r_${database.name}`, password: 'p' }))
  await client.connect()
  try {
    const { findings } = await inspectSource(client, ['public'])
    expect(findings.find(({ subject }) => subject === 'large values')).toMatchObject({
      level: 'advice',
      state: expect.stringContaining('not checked in time: public.slow'),
    })
  } finally {
    await client.end()
    await database.pool.query(`drop role r_${database.name}`)
  }
})
