import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { postgresMajor } from '#test-support/databases/database.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

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

/** Of advice that is a comment, since the statement in it takes something away, that statement. */
const statementIn = (fix: string) => /^-- .*?(alter table .*?)( nothing computes|;?$)/.exec(fix)?.[1]

test.each([
  ['create table t (id int primary key); alter table t replica identity nothing', 'its replica identity is nothing'],
  [
    'create table t (id int primary key, k int not null unique); alter table t replica identity using index t_k_key',
    'its replica identity is an index other than its primary key',
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
    'create table t (id int, twice int generated always as (id * 2) stored primary key)',
    'column twice of its primary key is generated',
  ],
  [
    `create function twice(int) returns int immutable language sql return $1 * 2;
     create table t (id int primary key, double int generated always as (twice(id)) stored)`,
    'generated column double uses function public.twice(integer), which the target does not have',
  ],
  [
    `create collation anycase (provider = icu, locale = 'und', deterministic = false);
     create table t (id text collate anycase primary key)`,
    'the collation of key column id is not deterministic',
  ],
  ['create table "a[1]" (id int primary key)', 'its name holds a quote, a backslash, a bracket or one of *+?|^'],
])('%s is refused, and the fix makes it one that can be captured', async (ddl, reason) => {
  await source.pool.query(ddl)

  const { rows } = await source.pool.query('select relation, state, reason, fix from tidemark.captured_table')

  expect(rows).toMatchObject([{ state: 'refused', reason }])
  await source.pool.query(rows[0].fix)
  const inWords = statementIn(rows[0].fix)
  if (inWords !== undefined) await source.pool.query(inWords)
  await source.pool.query('select tidemark.catch_up()')
  const fixed = await source.pool.query('select relation, state, reason, fix from tidemark.captured_table')
  expect(fixed.rows).toEqual([{ relation: rows[0].relation, state: 'pending', reason: null, fix: null }])
})

test('a generated column is not made an ordinary one by pasting the advice', async () => {
  await source.pool.query(`
    create function twice(int) returns int immutable language sql return $1 * 2;
    create table t (id int primary key, double int generated always as (twice(id)) stored)`)

  const { fix } = (await source.state('public.t'))!
  await source.pool.query(fix!)

  expect(fix).toBe(
    `-- add 'public.t.double' to excludeColumns of the setting captured; after alter table public.t alter column double ` +
      'drop expression nothing computes the column, and the application that inserts rows has to;',
  )
  expect((await source.state('public.t'))!.state).toBe('refused')
  await source.configure({ excludeColumns: ['public.secret.iban', 'public.t.double'] })
  expect((await source.state('public.t'))!.state).toBe('pending')
  await source.configure({ excludeColumns: ['public.secret.iban'] })
})

test.runIf(postgresMajor() >= 18)(
  'a virtual column, whose expression cannot be dropped, is to be excluded',
  async () => {
    await source.pool.query(`
    create table secret (id int primary key, iban text, bank text generated always as (left(iban, 4)))`)

    expect(await source.state('public.secret')).toMatchObject({
      reason: 'generated column bank is computed from column iban, which is excluded',
      fix: `-- add 'public.secret.bank' to excludeColumns of the setting captured;`,
    })
  },
)

test('the replica identity that subscribers of another publication rely on is not changed by pasting the advice', async () => {
  await source.pool.query(`
    create table t (id int primary key, k int not null unique);
    create publication theirs for table t;
    alter table t replica identity using index t_k_key`)

  const { fix } = (await source.state('public.t'))!
  await source.pool.query(fix!)

  expect(fix).toMatch(/^-- exclude the table, or let subscribers of theirs get rows by their primary key: alter table/)
  expect((await source.state('public.t'))!.state).toBe('refused')
  await source.pool.query(`${statementIn(fix!)}; select tidemark.catch_up()`)
  expect((await source.state('public.t'))!.state).toBe('pending')
  await source.pool.query('drop publication theirs')
})

test.each([['create table secret (iban text primary key)', 'column iban of its primary key is excluded']])(
  '%s is refused, and the fix says what to do',
  async (ddl, reason) => {
    await source.pool.query(ddl)

    const { rows } = await source.pool.query('select state, reason, fix from tidemark.captured_table')

    expect(rows).toEqual([
      { state: 'refused', reason, fix: expect.stringMatching(/^-- .*captured;|^-- exclude the table/) },
    ])
  },
)

test('every reason of a table is given, each with its fix', async () => {
  await source.pool.query('create table t (id int primary key, "Id" int); alter table t enable row level security')

  const { rows } = await source.pool.query('select reason, fix from tidemark.captured_table')

  expect(rows).toEqual([
    {
      reason: 'its columns id and "Id" differ only in case; row-level security hides rows from tidemark_capture',
      fix:
        'create policy tidemark_capture on public.t for select to tidemark_capture using (true);\n' +
        'alter table public.t rename column id to id_2;',
    },
  ])
})

test('a restrictive policy is passed by the right to see every row', async () => {
  await source.pool.query(`
    create table t (id int primary key);
    alter table t enable row level security;
    create policy everyone on t using (true);
    create policy few on t as restrictive using (id < 10);
    select tidemark.catch_up()`)
  const { rows } = await source.pool.query('select fix from tidemark.captured_table')
  const client = await source.pool.connect()

  // The role belongs to the whole server: others must not see it changed.
  await client.query(`begin; ${rows[0].fix}; select tidemark.catch_up()`)
  const fixed = await client.query('select state, reason from tidemark.captured_table')

  await client.query('rollback')
  client.release()
  expect(rows).toEqual([{ fix: 'alter role tidemark_capture bypassrls;' }])
  expect(fixed.rows).toEqual([{ state: 'pending', reason: null }])
})

test('row-level security that is forced on the owner is refused where the administrator does not see every row', async () => {
  await source.pool.query(`
    create table t (id int primary key);
    alter table t owner to refusals_owner;
    alter table t enable row level security, force row level security;
    create policy tidemark_capture on t for select to tidemark_capture using (true)`)
  const refusals = async () => {
    const { rows } = await source.pool.query(
      `select reason, fix from tidemark.table_refusals('t'::regclass, '{}', 'refusals_owner') where reason ~ 'row-level'`,
    )
    return rows
  }

  const before = await refusals()
  await source.pool.query(before[0].fix)

  expect(before).toMatchObject([
    { reason: 'row-level security, which is forced on its owner, hides rows from refusals_owner' },
  ])
  expect(await refusals()).toEqual([])
})

test('tables that are carried exactly are not refused', async () => {
  await source.pool.query(`
    create table t (
      a smallint, b integer, c bigint, d numeric, e numeric(10, 2), f real, g double precision, h text, i varchar(9),
      j char(3), k boolean, l date, m timestamp(3), n timestamptz, q uuid, r json, s jsonb, t bytea,
      primary key (a, b, c, d, h, i, j, k, l, m, n, q) include (f)
    );
    create table "Track" ("TrackId" int primary key, "a.b" int);
    create table "Straßen & Wege" (id int primary key);
    create table line (id int primary key, v int);
    alter table line replica identity full;
    create table named (id int primary key);
    alter table named replica identity using index named_pkey;
    create table log (line text);
    create table coupon (code text unique, note text);
    create table seat (line int not null, number int not null, unique (line, number));
    alter table seat replica identity using index seat_line_number_key;
    create table queue (place int primary key deferrable);
    create table computed (id int primary key, name text, length int generated always as (char_length(name)) stored)`)

  const { rows } = await source.pool.query(
    'select distinct state, count(*)::int from tidemark.captured_table group by 1',
  )

  expect(rows).toEqual([{ state: 'pending', count: 10 }])
})

test('a generated column that the target could not compute is refused with what it lacks, or excluded', async () => {
  await source.pool.query(`
    create type mood as enum ('good');
    create table t (id int primary key, m mood, better boolean generated always as (m > 'good') stored);
    create table secret (id int primary key, iban text, bank text generated always as (left(iban, 4)) stored)`)

  const t = await source.state('public.t')
  expect(t!.reason).toContain('generated column better uses type public.mood, which the target does not have')
  expect(t!.reason).toContain('generated column better is computed from column m, which the target stores as text')
  expect(await source.state('public.secret')).toMatchObject({
    reason: 'generated column bank is computed from column iban, which is excluded',
  })
  await source.configure({ excludeColumns: ['public.secret.iban', 'public.secret.bank'] })
  expect(await source.state('public.secret')).toMatchObject({ state: 'pending' })
  await source.configure({ excludeColumns: ['public.secret.iban'] })
})

test('a generated interval, which Debezium reads and may end at, needs the check constraints of an interval', async () => {
  await source.pool.query(
    'create table t (id int primary key, h float8, i interval generated always as (make_interval(hours => 1) * h) stored)',
  )

  const t = await source.state('public.t')
  expect(t!.reason).toMatch(/^type interval of column i: infinity arrives as 0, and 2147483648 hours or more end/)
  await source.pool.query(t!.fix!)
  await source.pool.query('select tidemark.catch_up()')
  expect(await source.state('public.t')).toMatchObject({ state: 'pending', reason: null })
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
