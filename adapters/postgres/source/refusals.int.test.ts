import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/source-database.ts'

let source: SourceDatabase

beforeAll(async () => {
  source = await createSource({ excludeColumns: ['public.secret.iban'] })
  await source.pool.query('create role refusals_owner')
})

afterEach(() =>
  source.pool.query('drop schema public cascade; create schema public; grant usage on schema public to public'),
)

afterAll(async () => {
  await source.pool.query('drop role refusals_owner')
  await source.drop()
})

test.each([
  ['create table t (id int)', 'it has no primary key'],
  ['create table t (a int not null, b int not null, unique (a, b))', 'it has no primary key'],
  ['create table t (id int primary key deferrable)', 'its primary key is deferrable'],
  ['create table t (id int primary key); alter table t replica identity nothing', 'its replica identity is nothing'],
  [
    'create table t (id int primary key, k int not null unique); alter table t replica identity using index t_k_key',
    'its replica identity is an index',
  ],
  ['create unlogged table t (id int primary key)', 'it is unlogged: its changes are not in the log'],
  [
    'create table t (id int primary key); alter table t enable row level security',
    'row-level security hides rows from tidemark_capture',
  ],
  ['create table t (id int primary key, "Id" int)', 'its columns id and "Id" differ only in case'],
  [
    'create table t (id int primary key, "tidemark$lsn" int)',
    'the name of its column "tidemark$lsn" is reserved or holds a quote',
  ],
  [
    'create table t (id int primary key, twice int generated always as (id * 2) stored)',
    'column twice is generated: not captured yet',
  ],
  ['create table t (id int primary key, price money)', 'type money of column price: not carried exactly yet'],
  ['create table t (id int primary key, bits bit(3))', 'type bit(3) of column bits: not carried exactly yet'],
  ['create table t (id int primary key, at timetz)', 'type time with time zone of column at: not carried exactly yet'],
  ['create table t (id int primary key, at time)', 'type time without time zone of column at: not carried exactly yet'],
  ['create table t (id int primary key, l text[])', 'type text[] of column l: not carried exactly yet'],
  ['create table t (id int primary key, r int4range)', 'type int4range of column r: not carried exactly yet'],
  ['create table t (id int primary key, p point)', 'type point of column p: not carried exactly yet'],
  ['create table t (id int primary key, a inet)', 'type inet of column a: not carried exactly yet'],
  ['create table t (id int primary key, c "char")', 'type "char" of column c: not carried exactly yet'],
  ['create table t (id int primary key, n numeric[])', 'type numeric[] of column n: not carried exactly yet'],
  ['create table t (id int primary key, i interval)', 'type interval of column i: not carried exactly yet'],
  [
    `create type mood as enum ('good'); create table t (id int primary key, m mood)`,
    'type public.mood of column m: not carried exactly yet',
  ],
  [
    'create domain positive as int check (value > 0); create table t (id int primary key, d positive)',
    'type public.positive of column d: not carried exactly yet',
  ],
  [
    'create type pair as (a int, b int); create table t (id int primary key, p pair)',
    'type public.pair of column p: not carried exactly yet',
  ],
  [
    `create collation anycase (provider = icu, locale = 'und', deterministic = false);
     create table t (id text collate anycase primary key)`,
    'the collation of key column id is not deterministic',
  ],
  ['create table "a b" (id int primary key)', 'its name holds characters other than letters a-z, digits, _ and -'],
])('%s is refused, and the fix makes it one that can be captured', async (ddl, reason) => {
  await source.pool.query(ddl)

  const { rows } = await source.pool.query('select relation, state, reason, fix from tidemark.captured_table')

  expect(rows).toMatchObject([{ state: 'refused', reason }])
  await source.pool.query(rows[0].fix)
  await source.pool.query('select tidemark.catch_up()')
  const fixed = await source.pool.query('select relation, state, reason, fix from tidemark.captured_table')
  expect(fixed.rows).toEqual([{ relation: rows[0].relation, state: 'pending', reason: null, fix: null }])
})

test.each([
  ['create table t (id int primary key) partition by range (id)', 'it is a partitioned table: not captured yet'],
  [
    'create table t (x float8 primary key)',
    'type double precision of key column x: equal keys may be written differently',
  ],
  ['create table t (x jsonb primary key)', 'type jsonb of key column x: equal keys may be written differently'],
  ['create table secret (iban text primary key)', 'column iban of its primary key is excluded'],
])('%s is refused, and the fix says what to do', async (ddl, reason) => {
  await source.pool.query(ddl)

  const { rows } = await source.pool.query('select state, reason, fix from tidemark.captured_table')

  expect(rows).toEqual([
    { state: 'refused', reason, fix: expect.stringMatching(/^-- .*captured;|^-- exclude the table/) },
  ])
})

test('a table partition and both sides of an inheritance are refused', async () => {
  await source.pool.query(`
    create table p (id int primary key) partition by range (id);
    create table p1 partition of p default;
    create table a (id int primary key);
    create table b (primary key (id)) inherits (a)`)

  const { rows } = await source.pool.query('select table_name, reason from tidemark.captured_table order by 1')

  expect(rows).toEqual([
    { table_name: 'a', reason: 'it takes part in inheritance: not captured yet' },
    { table_name: 'b', reason: 'it takes part in inheritance: not captured yet' },
    { table_name: 'p', reason: 'it is a partitioned table: not captured yet' },
    { table_name: 'p1', reason: 'it is a table partition: not captured yet' },
  ])
})

test('every reason of a table is given, each with its fix', async () => {
  await source.pool.query('create table t (id int, price money)')

  const { rows } = await source.pool.query('select reason, fix from tidemark.captured_table')

  expect(rows).toEqual([
    {
      reason: 'it has no primary key; type money of column price: not carried exactly yet',
      fix:
        'alter table public.t add column row_id bigint generated always as identity primary key;\n' +
        'alter table public.t alter column price type text using price::text;',
    },
  ])
})

test('tables of every type that is carried exactly are not refused', async () => {
  await source.pool.query(`
    create table t (
      a smallint, b integer, c bigint, d numeric, e numeric(10, 2), f real, g double precision, h text, i varchar(9),
      j char(3), k boolean, l date, m timestamp(3), n timestamptz, q uuid, r json, s jsonb, t bytea,
      primary key (a, b, c, d, h, i, j, k, l, m, n, q) include (f)
    );
    create table "Track" ("TrackId" int primary key, "a.b" int);
    create table line (id int primary key, v int);
    alter table line replica identity full`)

  const { rows } = await source.pool.query('select state from tidemark.captured_table')

  expect(rows).toEqual([{ state: 'pending' }, { state: 'pending' }, { state: 'pending' }])
})

test('an excluded column is no reason to refuse its table', async () => {
  await source.pool.query('create table secret (id int primary key, iban money)')

  expect(await source.state('public.secret')).toMatchObject({ state: 'pending' })
})

test('a table of an owner whose rights the administrator lacks is refused until they are granted', async () => {
  const administrator = `admin_${source.name}`
  await source.pool.query(`
    create role ${administrator};
    create table t (id int primary key);
    alter table t owner to refusals_owner`)
  const refusals = () =>
    source.pool.query(`select reason, fix from tidemark.table_refusals('t'::regclass, '{}', $1)`, [administrator])

  const { rows } = await refusals()

  expect(rows).toEqual([
    {
      reason: `it is owned by refusals_owner, whose rights ${administrator} does not have`,
      fix: `grant refusals_owner to ${administrator}`,
    },
  ])
  await source.pool.query(rows[0].fix)
  expect((await refusals()).rows).toEqual([])
  await source.pool.query(`drop role ${administrator}`)
})

test('a table in a schema that the administrator may not open to Debezium is refused until it may', async () => {
  const administrator = `usage_${source.name}`
  await source.pool.query(`
    create role ${administrator};
    create schema city;
    create table city.stop (id int primary key);
    alter table city.stop owner to ${administrator}`)
  const refusals = () =>
    source.pool.query(`select reason, fix from tidemark.table_refusals('city.stop'::regclass, '{}', $1)`, [
      administrator,
    ])

  const { rows } = await refusals()

  expect(rows).toEqual([
    {
      reason: `${administrator} may not let tidemark_capture into its schema`,
      fix: `grant usage on schema city to ${administrator} with grant option`,
    },
  ])
  await source.pool.query(rows[0].fix)
  expect((await refusals()).rows).toEqual([])
  await source.pool.query(`drop schema city cascade; drop role ${administrator}`)
})
