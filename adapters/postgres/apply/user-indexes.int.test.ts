import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TableContract } from '#core/contract.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { eventually } from '#test-support/eventually.ts'
import { type LatestState, makeLatestState } from './latest-state.ts'

let target: TestDatabase
let asApply: pg.Pool
let latestState: LatestState

beforeEach(async () => {
  target = await createDatabase('target')
  asApply = lastingPool({ connectionString: target.url, options: '-c role=tidemark_apply', max: 4 })
  latestState = makeLatestState(asApply)
})
afterEach(async () => {
  await asApply.end()
  await target.drop()
})

const applyTo = (topicPartition: number, log: ChangeLog) =>
  latestState.apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition }, log.records)
const apply = (log: ChangeLog) => applyTo(0, log)
const rows = async (query: string, values: unknown[] = []) => (await target.pool.query(query, values)).rows
const declare = (definition: string, { table = 'public.orders', name = null as string | null } = {}) =>
  rows('select tidemark.declare_index($1, $2, $3)', [table, definition, name])
const maintain = async () => {
  while ((await asApply.query('select tidemark.maintain() as round')).rows[0].round.more);
}
/** The declared indexes with the names of the source, and on which rows each is made. */
const indexes = () =>
  rows(`select s.schema_name || '.' || s.table_name as table, s.definition, s.rows_name as rows, s.state, s.problem
    from tidemark.user_index_state s
    order by s.index_id, s.relation, s.generation`)
/** What Postgres says of the indexes that users have declared on a table of rows. */
const madeOn = async (rowsName: string) =>
  (
    await rows(
      `select regexp_replace(indexdef, '^.* USING ', '') as made
       from pg_indexes
       where schemaname = 'tidemark_rows' and tablename = $1 and indexname ~ '_i\\d+$'
       order by indexname`,
      [rowsName],
    )
  ).map(({ made }) => made)
const stopped = () => rows('select schema_name, table_name, reason from tidemark.stopped_table')

const id = columnContract(1, 'id', 'bigint', { key: 1, nullable: false })
const name = columnContract(2, 'name', 'text')
const amount = columnContract(3, 'amount', 'numeric(12,2)')
const renamed = columnContract(2, 'Its "name"', 'text')
const began = (changes: Partial<TableContract> = {}) =>
  new ChangeLog()
    .contract(ordersContract(changes))
    .create({ id: 1, name: 'a', amount: null }, { lsn: 10, table: changes.table ?? 'orders' })

describe('an index that a user declared', () => {
  test('is on every generation that is shown, from before its first row on', async () => {
    const log = began()
    await apply(log)
    await declare('(lower(name), amount desc) where amount > 0')
    await maintain()
    expect(await madeOn('t4711_1')).toEqual([
      'btree (lower(c2), c3 DESC) WHERE ("tidemark$live" AND (c3 > (0)::numeric))',
    ])

    log.contract(ordersContract({ version: 2, generation: 2, complete: false }), { lsn: 20 })
    await apply(log.incrementalRead({ id: 1, name: 'a', amount: '2.00' }))
    const before = await indexes()
    await apply(log.contract(ordersContract({ version: 3, generation: 2 }), { lsn: 30 }))

    const made = { table: 'public.orders', state: 'made', problem: null }
    expect(before).toMatchObject([
      { ...made, rows: 't4711_1' },
      { ...made, rows: 't4711_2' },
    ])
    expect(await indexes()).toMatchObject([{ ...made, rows: 't4711_2' }])
    expect(await madeOn('t4711_2')).toEqual([
      'btree (lower(c2), c3 DESC) WHERE ("tidemark$live" AND (c3 > (0)::numeric))',
    ])
  })

  test('is used through the view by those who read it, also where it is partial, and in a parent', async () => {
    const parents = [{ schema: 'public', table: 'sales' }]
    const log = began({ parents })
    log.contract(ordersContract({ relation: 4712, table: 'orders_2', parents, columns: [name, id] }), { lsn: 11 })
    await apply(log)
    await declare('(lower(name)) where id > 0')
    await declare('(name)', { table: 'public.sales' })
    await maintain()
    await target.pool.query(`
      insert into tidemark_rows.t4711_1 (c1, c2, "tidemark$epoch", "tidemark$phase", "tidemark$live", "tidemark$lsn")
      select n, 'name ' || n, 1, 1, n % 2 = 0, 20 from generate_series(100, 20000) n;
      analyze tidemark_rows.t4711_1`)
    const client = await target.pool.connect()
    await client.query('set role tidemark_read')
    const explain = async (query: string) =>
      (await client.query(`explain (costs off) ${query}`)).rows.map((line) => line['QUERY PLAN']).join('\n')
    const own = await explain(`select id from public.orders where lower(name) = 'name 700' and id > 0`)
    const parent = await explain(`select id from public.sales where name = 'name 700'`)
    const found = (await client.query(`select id from public.sales where name in ('name 700', 'name 701')`)).rows
    await client.query('reset role')
    client.release()

    expect(own).toMatch(/Index (Only )?Scan.* t4711_1_i\d+/)
    expect(parent).toMatch(/Index (Only )?Scan.* t4711_1_i\d+/)
    expect(found).toEqual([{ id: '700' }])
  })

  test('follows renames of its columns and its table, and a new generation has it by the same columns', async () => {
    const log = began()
    await apply(log)
    await declare('(name) include (amount) where name is not null')
    await maintain()
    // A copy of the template does not have the rights on the database.
    await target.pool.query(`grant create on database ${target.name} to tidemark_owner`)

    const columns = [id, renamed, columnContract(3, 'name', 'numeric(12,2)')]
    const moved = { schema: 'Else"where', table: 'deliveries', columns }
    await apply(log.contract(ordersContract({ version: 2, ...moved }), { lsn: 20 }))
    log.contract(ordersContract({ version: 3, generation: 2, ...moved }), { lsn: 30 })
    await apply(log)

    expect(await stopped()).toEqual([])
    expect(await indexes()).toEqual([
      {
        ...{ table: 'Else"where.deliveries', rows: 't4711_2', state: 'made', problem: null },
        definition: 'USING btree ("Its ""name""") INCLUDE (name) WHERE ("Its ""name""" IS NOT NULL)',
      },
    ])
    expect(await madeOn('t4711_2')).toEqual(['btree (c2) INCLUDE (c3) WHERE ("tidemark$live" AND (c2 IS NOT NULL))'])
  })

  test('is kept by two columns that exchange their names', async () => {
    const [a, b] = [columnContract(2, 'a', 'text'), columnContract(3, 'b', 'text')]
    const log = new ChangeLog().contract(ordersContract({ columns: [id, a, b] }))
    await apply(log)
    await declare('(a) where b > $$x$$'.replaceAll('$$', "'"))
    await maintain()

    const exchanged = [id, { ...a, name: 'b' }, { ...b, name: 'a' }]
    await apply(log.contract(ordersContract({ version: 2, columns: exchanged }), { lsn: 20 }))

    expect(await indexes()).toMatchObject([{ definition: `USING btree (b) WHERE (a > 'x'::text)`, state: 'made' }])
    expect(await madeOn('t4711_1')).toEqual([`btree (c2) WHERE ("tidemark$live" AND (c3 > 'x'::text))`])
  })

  test('stays with its table when two tables exchange their names', async () => {
    const other = { relation: 4712, columns: [id, columnContract(2, 'size', 'integer')] }
    const log = began().contract(ordersContract({ ...other, table: 'others' }), { lsn: 11 })
    await apply(log)
    await declare('(name)')
    await declare('(size)', { table: 'public.others' })
    await maintain()
    const made = await rows('select id, relation from tidemark.relation_index order by id')

    log.contract(ordersContract({ version: 2, table: 'others' }), { lsn: 20 })
    await apply(log.contract(ordersContract({ ...other, version: 2, table: 'orders' }), { lsn: 21 }))
    await maintain()

    expect(await indexes()).toMatchObject([
      { table: 'public.others', definition: 'USING btree (name)', rows: 't4711_1', state: 'made' },
      { table: 'public.orders', definition: 'USING btree (size)', rows: 't4712_1', state: 'made' },
    ])
    expect(await rows('select id, relation from tidemark.relation_index order by id')).toEqual(made)
  })

  test('is on a table that takes the name of another one, once that one is dropped', async () => {
    const log = began()
    await apply(log)
    await declare('(name)')
    await maintain()
    const later = ordersContract({
      relation: 4712,
      columns: [
        { ...id, number: 2 },
        { ...name, number: 1 },
      ],
    })

    await apply(log.contract(later, { lsn: 20 }))
    expect(await madeOn('t4712_1')).toEqual([])
    await apply(log.contract(ordersContract({ version: 2, dropped: true }), { lsn: 21 }))

    expect(await madeOn('t4712_1')).toEqual(['btree (c1) WHERE "tidemark$live"'])
  })

  test('is on the rows of another source from before they are shown', async () => {
    const log = began().beacon(900, { lsn: '0/90' })
    await apply(log)
    await declare('(name)')
    await maintain()
    const restored = {
      relation: 5000,
      generation: 101,
      complete: false,
      columns: [
        { ...name, number: 1 },
        { ...id, number: 2 },
      ],
    }

    log.readContract(ordersContract(restored), 5, 2)
    log.beacon(1, { lsn: '0/06', epoch: 2, systemIdentifier: '7002' })
    await apply(log.incrementalRead({ id: 2, name: 'b' }, { epoch: 2 }))
    const before = { shown: await rows('select id from public.orders'), made: await madeOn('t5000_101') }
    await apply(log.contract(ordersContract({ ...restored, version: 2, complete: true }), { lsn: 8, epoch: 2 }))

    expect(before).toEqual({ shown: [{ id: '1' }], made: ['btree (c1) WHERE "tidemark$live"'] })
    expect(await rows('select id from public.orders')).toEqual([{ id: '2' }])
    expect(await indexes()).toMatchObject([{ table: 'public.orders', rows: 't5000_101', state: 'made' }])
  })

  test('whose column gets another name and a type that it does not fit stops nothing', async () => {
    const log = new ChangeLog().contract(ordersContract({ columns: [id, columnContract(2, 'size', 'integer')] }))
    await apply(log)
    await declare('((size + 1))')
    await maintain()

    const columns = [id, columnContract(2, 'extent', 'text')]
    await apply(log.contract(ordersContract({ version: 2, generation: 2, columns }), { lsn: 20 }))
    await maintain()

    expect(await stopped()).toEqual([])
    expect(await indexes()).toMatchObject([
      {
        rows: 't4711_2',
        state: 'does not fit',
        problem: expect.stringContaining('operator does not exist: text + integer'),
      },
    ])
  })

  test('whose column is dropped is dropped with a reason, stops nothing, and is made of a later column of the name', async () => {
    const log = began()
    await apply(log)
    await declare('(name, id)')
    await maintain()

    log.contract(ordersContract({ version: 2, columns: [id, amount] }), { lsn: 20 })
    await apply(log.create({ id: 2, amount: null }, { lsn: 21 }))
    await maintain()

    expect(await stopped()).toEqual([])
    expect(await indexes()).toMatchObject([
      {
        state: 'does not fit',
        problem: 'it does not fit the columns of public.orders: column "name" does not exist',
      },
    ])
    expect(await madeOn('t4711_1')).toEqual([])

    const columns = [id, amount, columnContract(4, 'name', 'character varying(10)')]
    await apply(log.contract(ordersContract({ version: 3, columns }), { lsn: 30 }))

    expect(await indexes()).toMatchObject([{ state: 'made', problem: null }])
    expect(await madeOn('t4711_1')).toEqual(['btree (c4, c1) WHERE "tidemark$live"'])
  })

  test('is rebuilt when the type of its column changes', async () => {
    const log = new ChangeLog().contract(ordersContract({ columns: [id, columnContract(2, 'size', 'integer')] }))
    await apply(log.create({ id: 1, size: 7 }, { lsn: 10 }))
    await declare('((size + 1)) where size > 3')
    await maintain()

    log.contract(ordersContract({ version: 2, columns: [id, columnContract(2, 'size', 'bigint')] }), { lsn: 20 })
    await apply(log.create({ id: 2, size: 3_000_000_000 }, { lsn: 21 }))

    expect(await stopped()).toEqual([])
    expect(await rows('select size from public.orders order by id')).toEqual([{ size: '7' }, { size: '3000000000' }])
    expect(await indexes()).toMatchObject([{ state: 'made', problem: null }])
  })

  test('that a change of a type makes impossible is dropped with a reason, and the table goes on', async () => {
    const log = new ChangeLog().contract(ordersContract({ columns: [id, columnContract(2, 'size', 'integer')] }))
    await apply(log.create({ id: 1, size: 7 }, { lsn: 10 }))
    await declare('((size + 1))')
    await maintain()

    log.contract(ordersContract({ version: 2, columns: [id, columnContract(2, 'size', 'text')] }), { lsn: 20 })
    await apply(log.create({ id: 2, size: 'large' }, { lsn: 21 }))

    expect(await stopped()).toEqual([])
    expect(await rows('select size from public.orders order by id')).toEqual([{ size: '7' }, { size: 'large' }])
    expect(await indexes()).toMatchObject([{ state: 'missing', problem: expect.stringContaining('it was dropped') }])
  })

  test('of a table that is dropped waits for the next table of its name', async () => {
    const log = began()
    await apply(log)
    await declare('(name)')
    await maintain()

    await apply(log.contract(ordersContract({ version: 2, dropped: true }), { lsn: 20 }))
    expect(await indexes()).toMatchObject([{ state: 'no table', problem: null }])
    expect(await rows('select from tidemark.relation_index')).toEqual([])

    log.contract(ordersContract({ relation: 4720, columns: [columnContract(1, 'name', 'text'), { ...id, number: 2 }] }))
    await apply(log)

    expect(await madeOn('t4720_1')).toEqual(['btree (c1) WHERE "tidemark$live"'])
  })

  test('on a parent is on the rows of each table below it, also of one that comes later, and leaves one that is detached', async () => {
    const parents = [{ schema: 'public', table: 'sales' }]
    const log = began({ parents })
    await apply(log)
    await declare('(name)', { table: 'public.sales' })
    await maintain()

    const second = {
      relation: 4712,
      table: 'orders_2',
      columns: [
        { ...name, number: 1 },
        { ...id, number: 2 },
      ],
    }
    await apply(log.contract(ordersContract({ ...second, parents }), { lsn: 20 }))
    expect(await madeOn('t4711_1')).toEqual(['btree (c2) WHERE "tidemark$live"'])
    expect(await madeOn('t4712_1')).toEqual(['btree (c1) WHERE "tidemark$live"'])

    await apply(log.contract(ordersContract({ version: 2, parents: [] }), { lsn: 30 }))
    await maintain()
    expect(await madeOn('t4711_1')).toEqual([])
    expect(await madeOn('t4712_1')).toHaveLength(1)
  })

  test('on a parent follows a rename of the parent and of its column, which come with one table after the other', async () => {
    const parents = [{ schema: 'public', table: 'sales' }]
    const second = {
      relation: 4712,
      table: 'orders_2',
      columns: [
        { ...name, number: 1 },
        { ...id, number: 2 },
      ],
    }
    const log = began({ parents }).contract(ordersContract({ ...second, parents }), { lsn: 11 })
    await apply(log)
    await declare('(lower(name))', { table: 'public.sales' })
    await maintain()
    const made = await rows('select id from tidemark.relation_index order by id')

    const later = { version: 2, parents: [{ schema: 'public', table: 'turnover' }] }
    await apply(log.contract(ordersContract({ ...later, columns: [id, renamed, amount] }), { lsn: 20 }))
    await maintain()
    const columns = [
      { ...renamed, number: 1 },
      { ...id, number: 2 },
    ]
    await apply(log.contract(ordersContract({ ...second, ...later, columns }), { lsn: 21 }))
    await maintain()

    expect(await indexes()).toMatchObject([
      { table: 'public.turnover', definition: 'USING btree (lower("Its ""name"""))', rows: 't4711_1', state: 'made' },
      { table: 'public.turnover', rows: 't4712_1', state: 'made' },
    ])
    // None of them was made again.
    expect(await rows('select id from tidemark.relation_index order by id')).toEqual(made)
  })

  test('on a keyless table is on all its rows', async () => {
    const columns = [columnContract(1, 'line', 'text')]
    const keyless = ordersContract({ table: 'log', replicaIdentity: 'full', columns })
    const log = new ChangeLog().start().contract(keyless).create({ line: 'a' }, { lsn: 10, table: 'log', txId: 7 })
    await apply(log)

    await declare('(line text_pattern_ops)', { table: 'public.log' })
    await maintain()
    await apply(log.create({ line: 'a' }, { lsn: 11, table: 'log', txId: 7 }))

    expect(await madeOn('t4711_1')).toEqual(['btree (c1 text_pattern_ops)'])
    expect(await rows(`select line from public.log where line like 'a%'`)).toHaveLength(2)
  })

  test('with which a row cannot be written is dropped with the reason, others stay, and the table goes on', async () => {
    const log = began()
    await apply(log)
    await declare('(name)')
    await declare('(lower(name))')
    await declare('(amount)')
    await declare('((amount / (id - 13)))')
    await maintain()
    // Random text, which Postgres cannot compress to the size that an index takes.
    const [{ large }] = (await rows(`select string_agg(md5(n::text), '') as large from generate_series(1, 400) n`)) as [
      { large: string },
    ]

    log.create({ id: 2, name: large, amount: null }, { lsn: 20 })
    log
      .create({ id: 13, name: 'b', amount: '1.00' }, { lsn: 21 })
      .create({ id: 3, name: 'c', amount: null }, { lsn: 22 })
    await apply(log)

    expect(await stopped()).toEqual([])
    expect(await rows('select id from public.orders order by id')).toHaveLength(4)
    const dropped = (why: string) => ({ state: 'missing', problem: expect.stringContaining(why) })
    expect((await indexes()).map(({ state, problem }) => ({ state, problem }))).toEqual([
      dropped('could not be written with it: index row'),
      dropped('could not be written with it: index row'),
      { state: 'made', problem: null },
      dropped('could not be written with it: division by zero'),
    ])

    await apply(log.change('d', { id: 2 }, null, { lsn: 30 }).change('d', { id: 13 }, null, { lsn: 31 }))
    // While any session may still see the former rows, an index has them as well.
    await eventually(async () => {
      await maintain()
      expect((await indexes()).map(({ state }) => state)).toEqual(['made', 'made', 'made', 'made'])
    })
  })

  test('that is gone before the cause of a failure is looked for stops nothing', async () => {
    const log = began()
    await apply(log)
    // It fails once, as with an index that another session was making and gave up. A sequence is not rolled back.
    await rows(`create sequence public.calls;
      grant usage on sequence public.calls to tidemark_apply;
      create function public.fails_once(text) returns text language plpgsql immutable as $$ begin
        if $1 = 'b' and nextval('public.calls') = 1 then raise exception 'it fails once'; end if;
        return $1;
      end $$`)
    await declare('(public.fails_once(name))')
    await maintain()

    await apply(log.create({ id: 2, name: 'b', amount: null }, { lsn: 20 }))

    expect(await stopped()).toEqual([])
    expect(await rows('select id from public.orders order by id')).toEqual([{ id: '1' }, { id: '2' }])
    expect(await indexes()).toMatchObject([{ state: 'made', problem: null }])
  })

  test('is not dropped when a table cannot be written for another reason', async () => {
    const log = began()
    await apply(log)
    await declare('(name)')
    await declare('(amount)')
    await maintain()

    await apply(log.create({ id: 2, name: 'b', amount: 'nonsense' }, { lsn: 20 }))

    expect(await stopped()).toMatchObject([{ reason: expect.stringContaining('nonsense') }])
    expect(await indexes()).toMatchObject([
      { state: 'made', problem: null },
      { state: 'made', problem: null },
    ])
  })
})
