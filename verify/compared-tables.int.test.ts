import { afterEach, expect, test } from 'vitest'
import { type FabricatedPipeline, startFabricatedPipeline } from '#test-support/databases/fabricated-pipeline.ts'
import { type Comparison, compareDatabases, isEqual } from './compare-databases.ts'

let pipeline: FabricatedPipeline | undefined

afterEach(() => pipeline?.stop())

/** The comparison after `tamper` has changed the target. */
async function compareAfter(ddl: string, tables: string[], tamper = ''): Promise<Comparison> {
  pipeline = await startFabricatedPipeline(ddl)
  await pipeline.capture(tables)
  pipeline.tamper = tamper
  return compare()
}

const compare = () => compareDatabases({ source: pipeline!.source.url, target: pipeline!.targetUrl, waitMs: 20_000 })

const logTable = `
  create table public.log (line text, at date);
  insert into public.log select 'line ' || n % 3, '2020-02-29' from generate_series(1, 300) n;
  insert into public.log values (null, null), ('', null), (null, null)`

test('a table without a key is equal when every row is there as often, in any order', async () => {
  const comparison = await compareAfter(logTable, ['public.log'])

  expect(comparison.tables).toMatchObject([{ keyColumns: [], sourceRows: 303, targetRows: 303, differing: 0 }])
  expect(isEqual(comparison)).toBe(true)
})

test('a row of a table without a key that one side has more often differs, and empty is not null', async () => {
  const comparison = await compareAfter(
    logTable,
    ['public.log'],
    `insert into held."public.log" values ('line 1', '2020-02-29'), ('line 1', '2020-02-29');
    update held."public.log" set line = '' where line is null`,
  )

  expect(comparison.tables).toMatchObject([{ sourceRows: 303, targetRows: 305, differing: 2 + 2 + 2 }])
  expect(comparison.tables[0]!.examples).toHaveLength(3)
  expect(comparison.tables[0]!.examples).toEqual(
    expect.arrayContaining([
      {
        key: [],
        source: ['line 1', '2020-02-29'],
        target: ['line 1', '2020-02-29'],
        times: { source: 100, target: 102 },
      },
      { key: [], source: [null, null], target: undefined, times: { source: 2, target: 0 } },
      { key: [], source: ['', null], target: ['', null], times: { source: 1, target: 3 } },
    ]),
  )
})

test('rows of a table without a key that change meanwhile are not taken for rows that differ', async () => {
  pipeline = await startFabricatedPipeline(logTable)
  await pipeline.capture(['public.log'])
  const stop = new AbortController()
  const writing = (async () => {
    while (!stop.signal.aborted) {
      await pipeline!.source.pool.query(`
        insert into public.log values (gen_random_uuid(), current_date), (gen_random_uuid(), null);
        update public.log set at = '2020-01-01' where ctid = (select max(ctid) from public.log where at is null);
        delete from public.log where ctid = (select min(ctid) from public.log where at = current_date)`)
    }
  })()

  const comparisons = []
  while (comparisons.length < 5) comparisons.push(await compare())

  stop.abort()
  await writing
  for (const { tables } of comparisons) expect(tables).toMatchObject([{ differing: 0, changing: 0 }])
})

test('types that the target holds as text, and types whose text is padded or masked, compare and order as key', async () => {
  const values = {
    'character(5)': ['a', 'a\u0001', 'a!', ''],
    inet: ['10.0.0.1', '10.0.0.1/24', '10.0.0.0/8', '::1'],
    boolean: ['t', 'f'],
    'public.mood': ['sad', 'ok', 'a "quoted" one'],
    'public.positive': ['1', '9', '10'],
    'public.pair': ['(1,b)', '(1,"a b")', '(,)'],
    'integer[]': ['{}', '{{1,2},{3,4}}', '{1,NULL}'],
    numeric: ['1.0', '-2', 'NaN', '10'],
    'timestamp with time zone': ['infinity', '0044-03-15 12:00 BC', '2020-02-29 12:00+02'],
    interval: ['1 mon', '-3 days', '24:00:01'],
    bytea: ['\\x', '\\x00ff', '\\x5c'],
    'double precision': ['NaN', '-0', '1e300', '0.1'],
    '"char"': ['a', ''],
    int4range: ['empty', '[1,5)', '(,)'],
  }
  const ddl = Object.entries(values).map(
    ([type, texts], index) => `
      create table public.t${index} (k ${type} primary key, v text);
      insert into public.t${index} select x::${type}, 'v' from unnest(array[${texts.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`)}]) x`,
  )
  const types = `
    create type public.mood as enum ('sad', 'ok', 'a "quoted" one');
    create domain public.positive as integer check (value > 0);
    create type public.pair as (a integer, b text);`
  const tables = ddl.map((_, index) => `public.t${index}`)
  const tamper = tables.map(
    (name) => `update held."${name}" set v = 'w' where ctid = (select max(ctid) from held."${name}")`,
  )

  const comparison = await compareAfter(types + ddl.join(';'), tables, tamper.join(';'))

  for (const { table, differing, changing } of comparison.tables) {
    expect({ table, differing, changing }).toEqual({ table, differing: 1, changing: 0 })
  }
  pipeline!.tamper = ''
  expect(isEqual(await compare())).toBe(true)
})

test('a partitioned table holds the rows of its captured leaves', async () => {
  const ddl = `
    create table public.reading (at date, value integer, primary key (at, value)) partition by range (at);
    create table public.reading_2019 partition of public.reading for values from ('2019-01-01') to ('2020-01-01');
    create table public.reading_2020 partition of public.reading for values from ('2020-01-01') to ('2021-01-01');
    insert into public.reading select '2019-12-25'::date + n, n from generate_series(1, 20) n`
  const leaves = ['public.reading_2019', 'public.reading_2020']
  pipeline = await startFabricatedPipeline(ddl)
  await pipeline.capture(leaves)
  await pipeline.target.pool.query(`
    create view public.reading as select * from public.reading_2019 union all select * from public.reading_2020;
    grant select on public.reading to tidemark_read`)

  expect((await compare()).tables).toMatchObject([
    { table: 'public.reading_2019', sourceRows: 6, differing: 0 },
    { table: 'public.reading_2020', sourceRows: 14, differing: 0 },
    { table: 'public.reading', sourceRows: 20, targetRows: 20, differing: 0 },
  ])
  await pipeline.target.pool.query('create or replace view public.reading as select * from public.reading_2019')
  expect((await compare()).tables[2]).toMatchObject({ sourceRows: 20, targetRows: 6, differing: 14 })
  await pipeline.target.pool.query('drop view public.reading')
  expect((await compare()).tables[2]).toMatchObject({ sourceRows: 20, targetRows: null })
})

test('a table that others inherit from shows its rows and those of its captured heirs', async () => {
  const ddl = `
    create table public.place (id integer primary key, name text);
    create table public.capital (of_country text, primary key (id)) inherits (public.place);
    create table public.uncaptured () inherits (public.place);
    insert into public.place values (1, 'Gera'), (2, 'Suhl');
    insert into public.capital values (1, 'Bern', 'CH');
    insert into public.uncaptured values (7, 'Ulm')`
  pipeline = await startFabricatedPipeline(ddl)
  await pipeline.capture(['public.place', 'public.capital'])
  await pipeline.target.pool.query(
    `create or replace view public.place as select * from held."public.place" union all select id, name from held."public.capital"`,
  )

  expect((await compare()).tables).toMatchObject([
    { table: 'public.capital', keyColumns: ['id'], sourceRows: 1, differing: 0 },
    { table: 'public.place', keyColumns: [], sourceRows: 3, targetRows: 3, differing: 0 },
  ])
})

test('columns that only one side has are reported, and so are tables that only the target has', async () => {
  const comparison = await compareAfter('create table public.item (id integer primary key, price numeric)', [
    'public.item',
  ])
  expect(isEqual(comparison)).toBe(true)
  await pipeline!.target.pool.query(`
    drop view public.item;
    create table tidemark_rows.t1_1 (id integer);
    create view public.item as select id, 1 as cost from held."public.item";
    create view public.gone as select * from tidemark_rows.t1_1;
    grant select on public.item to tidemark_read`)

  const { tables, onlyInTarget } = await compare()

  expect(tables).toMatchObject([
    { problem: 'the target has no column price and shows a column that the source has not: cost' },
  ])
  expect(onlyInTarget).toEqual(['public.gone'])
})

test('a table that is altered after the first look is compared as it is then', async () => {
  const comparison = compareAfter(
    `create table public.item (id integer primary key, price integer);
    insert into public.item values (1, 2);
    create function public.add_price() returns trigger
    language plpgsql
    as $$
    begin
      insert into tidemark.table_contract (relation, version, slot, contract)
      select relation, 3, 0, contract from tidemark.table_contract where version = 1 and slot = 0;
      return null;
    end
    $$;
    create trigger add_price after update on tidemark.beacon
    for each row when (new.slot = 0 and new.number = 2) execute function public.add_price();
    create function public.hide_price() returns trigger
    language plpgsql
    as $$
    begin
      insert into tidemark.table_contract (relation, version, slot, contract)
      values (new.relation, 2, 0, new.contract #- '{columns,1}');
      return null;
    end
    $$;
    create trigger hide_price after insert on tidemark.table_contract
    for each row when (new.slot = 1 and new.version = 1) execute function public.hide_price()`,
    ['public.item'],
  )

  expect((await comparison).tables).toMatchObject([{ columns: ['id', 'price'], differing: 0 }])
  expect(isEqual(await comparison)).toBe(true)
})

test('names that need quoting, in several schemas, and a thousand columns are compared', async () => {
  const long = `${'ä'.repeat(31)}x`
  const wide = Array.from({ length: 1_000 }, (_, index) => `c${index} integer default ${index}`).join(', ')
  const ddl = `
    create schema "Other ""schema";
    create table "Other ""schema"."it's $1 \\ ${long.slice(0, 20)}" ("sélect" integer primary key, "${long}" text, "a""b" text);
    insert into "Other ""schema"."it's $1 \\ ${long.slice(0, 20)}" values (1, 'x', 'y');
    create table public.wide (id integer primary key, ${wide});
    insert into public.wide (id) select generate_series(1, 10);
    create table public.wide_log as select * from public.wide`
  const tables = [`"Other ""schema"."it's $1 \\ ${long.slice(0, 20)}"`, 'public.wide', 'public.wide_log']

  const comparison = await compareAfter(ddl, tables, 'update held."public.wide" set c777 = 0 where id = 5')

  expect(comparison.tables).toMatchObject([{ sourceRows: 1, differing: 0 }, { differing: 1 }, { differing: 0 }])
  expect(comparison.tables[1]!.examples).toMatchObject([{ key: ['5'] }])
})
