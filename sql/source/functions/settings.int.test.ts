import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSource, EVERYTHING, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)

const configure = (topicPartitions: number, captured: object, epoch = source.epoch) =>
  source.pool.query('select tidemark.configure($1, $2, $3)', [topicPartitions, JSON.stringify(captured), epoch])

beforeEach(async () => {
  source = await createSource()
})

afterEach(() => source.drop())

test('the number of topic partitions is fixed within an epoch', async () => {
  await expect(configure(3, EVERYTHING)).rejects.toThrow(
    'the topic has 2 topic partitions, not 3: their number cannot change within an epoch, so deploy with the former',
  )
})

test('the epoch does not go back: that of a deployment is the least that is to be', async () => {
  await configure(2, { ...EVERYTHING, schemas: ['other'] }, source.epoch - 1)

  const { rows } = await run(`select epoch, captured ->> 'schemas' as schemas from tidemark.setting`)
  expect(rows).toEqual([{ epoch: source.epoch, schemas: '["other"]' }])
})

test.each([
  [{ schemas: ['public'] }, 'wrong: includeTables, excludeTables, excludeColumns'],
  [{ ...EVERYTHING, schemas: [1] }, 'wrong: schemas'],
  [{ ...EVERYTHING, schema: [] }, 'wrong: schema'],
  [{ ...EVERYTHING, schemas: ['tidemark', 'pg_catalog'] }, 'names tidemark, pg_catalog, which cannot be captured'],
  [{ ...EVERYTHING, includeTables: ['tidemark.signal'] }, 'names tidemark.signal, which cannot be captured'],
  [{ ...EVERYTHING, includeTables: ['ride'] }, 'names ride: tables must be written as schema.table'],
  [{ ...EVERYTHING, excludeColumns: ['ride.email'] }, 'excludes ride.email, which does not exist'],
  [[], 'the setting captured must be a JSON object'],
])('captured = %j is refused', async (captured, message) => {
  await expect(configure(2, captured)).rejects.toThrow(message)
})

test('a misspelt excluded column is refused where the table exists, and accepted where it does not exist yet', async () => {
  await run('create table customer (id int primary key, email text)')

  await expect(configure(2, { ...EVERYTHING, excludeColumns: ['public.customer.emial'] })).rejects.toThrow(
    'excludes public.customer.emial, which does not exist',
  )
  await configure(2, { ...EVERYTHING, excludeColumns: ['public.later.email'] })
})

test('a table that is left out leaves the publication, with a contract that says so, and comes back as new', async () => {
  await run('create table ride (id int primary key)')
  await run(`select tidemark.publish_table('ride'::regclass)`)

  await source.configure({ excludeTables: ['public.ride'] })
  const without = [await source.published(), await source.state('public.ride')]
  await source.configure({})

  expect(without).toEqual([[], undefined])
  expect(await source.contracts('public.ride')).toMatchObject([
    { published: true, refusal: null },
    { published: false, refusal: 'it is not among the captured tables' },
    { published: false, refusal: null },
  ])
  expect(await source.state('public.ride')).toMatchObject({ state: 'pending' })
})

test('where tables are included by name, they alone are captured, whatever their schema', async () => {
  await run('create table ride (id int primary key); create schema city; create table city.stop (id int primary key)')

  await source.configure({ includeTables: ['city.stop'] })

  expect(await source.state('public.ride')).toBeUndefined()
  expect(await source.state('city.stop')).toMatchObject({ state: 'pending' })
})

test('a column excluded later is in the next version no more', async () => {
  await run('create table customer (id int primary key, email text)')
  await run(`select tidemark.publish_table('customer'::regclass)`)

  await source.configure({ excludeColumns: ['public.customer.email'] })

  const contracts = await source.contracts('public.customer')
  expect(contracts.map(({ columns }) => columns.map(({ name }) => name))).toEqual([['id', 'email'], ['id']])
})

test('the same setting again changes nothing', async () => {
  await run('create table ride (id int primary key)')
  await run(`select tidemark.publish_table('ride'::regclass)`)
  const everything = () =>
    run(`select (select json_agg(t order by relation) from tidemark.captured_table t) as tables,
      (select json_agg(s) from tidemark.setting s) as setting, (select count(*) from tidemark.table_contract) as contracts`)
  const before = await everything()

  await source.configure({})

  expect((await everything()).rows).toEqual(before.rows)
})

test('a publication that was dropped with the connector is created again, and its tables are captured again', async () => {
  await run('create table ride (id int primary key)')
  await run(`select tidemark.publish_table('ride'::regclass)`)
  await run('drop publication tidemark')

  await source.configure({})

  expect(await source.state('public.ride')).toMatchObject({ state: 'pending' })
  const control = await run(`select tablename from pg_publication_tables where pubname = 'tidemark' order by 1`)
  expect(control.rows.map((row) => row.tablename)).toEqual(['beacon', 'signal', 'table_contract'])
})

const generationOf = async (table: string) => (await source.contracts(`public.${table}`)).at(-1)!

test('a new epoch reads every table by signal, as a generation that no table had, of the source or of the target', async () => {
  await source.listen()
  await run(
    'create table ride (id int primary key); insert into ride values (1); create table captured (id int primary key)',
  )
  for (const table of ['ride', 'captured']) {
    await run(`select tidemark.publish_table('${table}'::regclass)`)
    await run(`select tidemark.await_writers('${table}'::regclass)`)
  }
  expect(await source.state('public.ride')).toMatchObject({ state: 'snapshotting' })
  expect(await source.state('public.captured')).toMatchObject({ state: 'captured' })
  await run(`select tidemark.begin_generation('captured'::regclass), tidemark.observe_table('captured'::regclass)`)

  await run(
    `select tidemark.configure(2, '${JSON.stringify(EVERYTHING)}', ${source.epoch + 1}, 40);
     create table later (id int primary key)`,
  )

  for (const table of ['ride', 'captured']) {
    // What the initial snapshot reads of a table says nothing of generations before.
    expect(
      (await source.contracts(`public.${table}`)).map(({ generation }) => generation).filter((n) => n < 41),
    ).toHaveLength(1)
    expect(await source.state(`public.${table}`)).toMatchObject({ state: 'pending' })
    expect(await generationOf(table)).toMatchObject({ generation: 41, complete: false, published: true })
    await run(`select tidemark.publish_table('${table}'::regclass)`)
  }
  await run(`select tidemark.publish_table('later'::regclass)`)
  expect(await source.state('public.ride')).toMatchObject({ state: 'awaiting writers' })
  expect(await source.state('public.later')).toMatchObject({ state: 'awaiting writers' })
  expect(await generationOf('later')).toMatchObject({ generation: 41, complete: false })
})

test('a source that takes the place of another has its tables read by signal, too', async () => {
  const other = await createSource({}, { knownGeneration: 7 })
  await other.pool.query(`create table ride (id int primary key); select tidemark.publish_table('ride'::regclass)`)

  expect(await other.state('public.ride')).toMatchObject({ state: 'awaiting writers' })
  expect((await other.contracts('public.ride')).at(-1)).toMatchObject({ generation: 8, complete: false })
  await other.drop()
})

test('a new epoch may have another number of topic partitions: each has contracts and beacons of it', async () => {
  await run(`create table ride (id int primary key); select tidemark.publish_table('ride'::regclass)`)
  await run('select tidemark.emit_beacon()')

  await configure(5, EVERYTHING, source.epoch + 1)

  const count = `select count(*)::int as beacons, count(distinct number)::int as numbers,
    (select count(*)::int from tidemark.table_contract where version = (select max(version) from tidemark.table_contract))
      as contracts from tidemark.beacon`
  expect((await run(count)).rows).toEqual([{ beacons: 5, numbers: 1, contracts: 5 }])
})
