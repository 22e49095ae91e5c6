import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase
beforeAll(async () => {
  source = await createSource()
  await source.pool.query(`
    create type public.mood as enum ('sad', 'happy');
    create domain public.price as numeric(10,2);
    create domain public.discount as public.price;
    create domain public.tags as text[];
    create type public.address as (street text, feeling public.mood)`)
})
afterAll(() => source.drop())

const run = (sql: string) => source.pool.query(sql)
const refusalOf = async (table: string) => (await source.state(`public.${table}`))?.reason ?? undefined

/** What a column of the type becomes. */
async function describe(type: string) {
  const results = (await run(`
    begin;
    create temp table it (v ${type}) on commit drop;
    select c.* from pg_attribute a cross join lateral tidemark.column_type(a.atttypid, a.atttypmod) c
    where a.attrelid = 'pg_temp.it'::regclass and a.attname = 'v';
    commit`)) as unknown as { rows: Record<string, unknown>[] }[]
  return results[2]!.rows[0]!
}

test.each([
  ['public.price', 'numeric(10,2)', 'value'],
  ['public.discount', 'numeric(10,2)', 'value'],
  ['public.tags', 'text[]', 'value'],
  ['public.mood', 'text', 'value'],
  ['public.mood[]', 'text[]', 'value'],
  ['public.address', 'text', 'text'],
  ['tsquery', 'tsquery', 'text'],
  ['int4multirange', 'int4multirange', 'text'],
  ['timestamp(3)', 'timestamp(3) without time zone', 'value'],
])('%s is stored as %s', async (type, carried, wire) => {
  expect(await describe(type)).toMatchObject({ carried, wire })
})

test('the definition of a type changes with its labels, and with those of the types in it', async () => {
  const before = {
    mood: (await describe('public.mood')).definition,
    address: (await describe('public.address')).definition,
  }

  await run(`alter type public.mood add value 'calm'`)

  expect((await describe('public.mood')).definition).not.toBe(before.mood)
  expect((await describe('public.address')).definition).not.toBe(before.address)
})

test.each(['citext', 'hstore', 'ltree'])(
  'a column of %s, which an extension brings, is looked at on every major',
  async (type) => {
    await run(`create extension ${type}; create table ${type}s (id int primary key, v ${type})`)

    expect(await source.state(`public.${type}s`)).toMatchObject({ state: 'pending', reason: null })
  },
)

test('an array is carried while a validated check constraint excludes values that cannot be distinguished', async () => {
  const check = 'check (array_ndims(a) = 1 and array_lower(a, 1) = 1)'
  await run('create table public.arrays (id integer primary key, a text[])')
  const without = await refusalOf('arrays')
  await run(`alter table public.arrays add constraint one ${check} not valid`)
  const unvalidated = await refusalOf('arrays')
  await run('alter table public.arrays validate constraint one')
  const validated = await refusalOf('arrays')
  await run('alter table public.arrays drop constraint one')

  expect([without, unvalidated, validated]).toEqual([
    'type text[] of column a: an array with other lower bounds or dimensions arrives as another array',
    without,
    undefined,
  ])
  expect(await refusalOf('arrays')).toBe(without)
})

test.each([
  'interval',
  'interval day to second(3)',
  'public.tags',
  'numeric[]',
  'numeric(10,2)[]',
  'date[]',
  'timestamp(3)[]',
  'time[]',
  'public.mood[]',
  'time with time zone',
])('the fix makes %s one that is carried, whatever name the column has', async (type) => {
  const table = `fixed_${type.replaceAll(/\W/g, '_')}`
  await run(`create table public.${table} (id integer primary key, "Order v" ${type})`)
  const { reason, fix } = (await source.state(`public.${table}`))!

  await run(fix!)

  expect(reason).toContain('column "Order v"')
  expect(fix).toContain(`alter table public.${table} add check (`)
  expect(await refusalOf(table)).toBeUndefined()
})

test('a key whose equal values are written differently is refused, elsewhere the type is carried', async () => {
  await run('create table public.by_address (a public.address primary key)')
  await run('create table public.with_address (id integer primary key, a public.address)')

  expect(await refusalOf('by_address')).toBe(
    'type public.address of key column a: equal keys may be written differently',
  )
  expect(await refusalOf('with_address')).toBeUndefined()
})
