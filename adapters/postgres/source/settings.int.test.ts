import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSource, EVERYTHING, type SourceDatabase } from '#test-support/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)

const configure = (topicPartitions: number, captured: object, epoch = source.epoch) =>
  source.pool.query('select tidemark.configure($1, $2, $3)', [topicPartitions, JSON.stringify(captured), epoch])

beforeEach(async () => {
  source = await createSource()
})

afterEach(() => source.drop())

test('the number of topic partitions is fixed once it is set', async () => {
  await expect(configure(3, EVERYTHING)).rejects.toThrow(
    'the topic has 2 topic partitions, not 3: their number is fixed when the pipeline is created',
  )
})

test('the epoch does not go back', async () => {
  await expect(configure(2, EVERYTHING, source.epoch - 1)).rejects.toThrow(`the epoch is ${source.epoch} already`)
})

test.each([
  [{ schemas: ['public'] }, 'wrong: includeTables, excludeTables, excludeColumns'],
  [{ ...EVERYTHING, schemas: [1] }, 'wrong: schemas'],
  [{ ...EVERYTHING, schema: [] }, 'wrong: schema'],
  [{ ...EVERYTHING, schemas: ['tidemark', 'pg_catalog'] }, 'tidemark, pg_catalog cannot be captured'],
  [{ ...EVERYTHING, includeTables: ['tidemark.signal'] }, 'tidemark.signal cannot be captured'],
  [{ ...EVERYTHING, includeTables: ['ride'] }, 'tables are written schema.table, not ride'],
  [{ ...EVERYTHING, excludeColumns: ['ride.email'] }, 'there is no column ride.email'],
  [[], 'captured must be an object'],
])('captured = %j is refused', async (captured, message) => {
  await expect(configure(2, captured)).rejects.toThrow(message)
})

test('a misspelt excluded column is refused where the table exists, and accepted where it does not exist yet', async () => {
  await run('create table customer (id int primary key, email text)')

  await expect(configure(2, { ...EVERYTHING, excludeColumns: ['public.customer.emial'] })).rejects.toThrow(
    'there is no column public.customer.emial',
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

test('a publication that was dropped with the connector is made again, and its tables are captured anew', async () => {
  await run('create table ride (id int primary key)')
  await run(`select tidemark.publish_table('ride'::regclass)`)
  await run('drop publication tidemark')

  await source.configure({})

  expect(await source.state('public.ride')).toMatchObject({ state: 'pending' })
  const control = await run(`select tablename from pg_publication_tables where pubname = 'tidemark' order by 1`)
  expect(control.rows.map((row) => row.tablename)).toEqual(['beacon', 'signal', 'table_contract'])
})

test('a new epoch reads everything anew: what the last one was reading counts as captured', async () => {
  await source.listen()
  await run('create table ride (id int primary key); insert into ride values (1)')
  await run(`select tidemark.publish_table('ride'::regclass)`)
  await run(`select tidemark.await_writers('ride'::regclass)`)
  expect(await source.state('public.ride')).toMatchObject({ state: 'reading' })

  await configure(2, EVERYTHING, source.epoch + 1)

  expect(await source.state('public.ride')).toMatchObject({ state: 'captured' })
})
