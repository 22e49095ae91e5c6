import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, databaseUrl, type TestDatabase } from '#test-support/databases/database.ts'
import { until } from '#test-support/eventually.ts'
import { makeLatestState } from '../apply/latest-state.ts'
import { declareIndex, listIndexes, type MakingSessions, makeMissingIndexes, removeIndex } from './user-indexes.ts'

let target: TestDatabase
let sessions: MakingSessions
let clients: pg.Client[]

beforeEach(async () => {
  target = await createDatabase('target')
  clients = [new pg.Client(target.url), new pg.Client(target.url), new pg.Client(target.url)]
  await Promise.all(clients.map((client) => client.connect()))
  sessions = { making: clients[0]!, watching: clients[1]! }
})
afterEach(async () => {
  await Promise.all(clients.map((client) => client.end()))
  await target.drop()
})

const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }
const apply = (log: ChangeLog) => makeLatestState(target.pool).apply(key, log.records)
const rows = async (query: string) => (await target.pool.query(query)).rows
const declare = (definition: string, { table = 'public.orders', name = undefined as string | undefined } = {}) =>
  declareIndex(sessions.making, { table, definition, name })
const make = () => makeMissingIndexes(sessions, null, () => undefined)
const made = async () =>
  (await rows(`select indexdef from pg_indexes where indexname ~ '^t\\d+_\\d+_i\\d+$' order by indexname`)).map(
    ({ indexdef }) => indexdef.replace(/^.* USING /, ''),
  )

const id = columnContract(1, 'id', 'bigint', { key: 1, nullable: false })
const name = columnContract(2, 'name', 'text')
const begun = () => new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: '1.00' }, { lsn: 10 })

describe('while an index is made on rows', () => {
  test('changes are applied, and a change of the table goes first: the index is begun again behind it', async () => {
    const log = begun()
    await apply(log)
    await declare('(name)')
    const waiting = clients[2]!
    // A concurrent index is not finished before transactions with an earlier view of the data have ended.
    await waiting.query('begin isolation level repeatable read; select from pg_class')

    const making = make()
    await until(
      'the index waits for the transaction',
      async () =>
        (await listIndexes(target.pool)).some(({ state }) => state === 'being made') &&
        (await rows(`select from pg_stat_progress_create_index where phase = 'waiting for old snapshots'`)).length > 0,
    )
    await apply(log.create({ id: 2, name: 'b', amount: null }, { lsn: 20 }))
    const columns = [...ordersContract().columns, columnContract(4, 'note', 'text')]
    log.contract(ordersContract({ version: 2, columns }), { lsn: 30 })
    await apply(log.create({ id: 3, name: 'c', amount: null, note: 'x' }, { lsn: 31 }))
    const shown = await rows('select id, note from public.orders order by id')
    const meanwhile = await listIndexes(target.pool)
    await waiting.query('commit')

    expect(shown).toEqual([
      { id: '1', note: null },
      { id: '2', note: null },
      { id: '3', note: 'x' },
    ])
    expect(meanwhile).toMatchObject([{ state: 'being made' }])
    expect(await making).toMatchObject([{ state: 'made', problem: null }])
    expect(await made()).toEqual(['btree (c2) WHERE "tidemark$live"'])
  })

  test('a generation that begins has it before its first row, and one that began before gets it as well', async () => {
    const log = begun()
    await apply(log)
    await declare('(name)')
    const waiting = clients[2]!
    await waiting.query('begin isolation level repeatable read; select from pg_class')
    const making = make()
    await until('the index is begun', async () => (await listIndexes(target.pool))[0]!.state === 'being made')

    await apply(log.contract(ordersContract({ version: 2, generation: 2, complete: false }), { lsn: 20 }))
    const both = await listIndexes(target.pool)
    await apply(log.contract(ordersContract({ version: 3, generation: 2 }), { lsn: 30 }))
    await waiting.query('commit')

    expect(both).toMatchObject([
      { madeAs: expect.stringMatching(/^t4711_1_/), state: 'being made' },
      { madeAs: expect.stringMatching(/^t4711_2_/), state: 'made' },
    ])
    expect(await making).toMatchObject([{ madeAs: expect.stringMatching(/^t4711_2_/), state: 'made' }])
  })

  test('another session does not make it a second time', async () => {
    await apply(begun())
    await declare('(name)')
    const waiting = clients[2]!
    await waiting.query('begin isolation level repeatable read; select from pg_class')
    const making = make()
    await until('the index is begun', async () => (await listIndexes(target.pool))[0]!.state === 'being made')

    const [one, other] = [new pg.Client(target.url), new pg.Client(target.url)]
    await Promise.all([one.connect(), other.connect()])
    const second = await makeMissingIndexes({ making: one, watching: other }, null, () => undefined)
    await target.pool.query('select tidemark.maintain()')
    await Promise.all([one.end(), other.end(), waiting.query('commit')])

    expect(second).toMatchObject([{ state: 'being made' }])
    expect(await making).toMatchObject([{ state: 'made' }])
  })

  test('what its rows do not allow is its problem, nothing of it is left, and it is made once they do', async () => {
    const log = begun()
    await apply(log)
    await declare('((1 / (id - 1)))')

    expect(await make()).toMatchObject([{ state: 'missing', problem: 'division by zero' }])
    expect(await made()).toEqual([])

    await apply(log.change('d', { id: 1 }, null, { lsn: 20 }))
    expect(await make()).toMatchObject([{ state: 'made', problem: null }])
  })

  test('one that was left unfinished is dropped and made again', async () => {
    await apply(begun())
    await declare('(name)')
    const madeAs = (await listIndexes(target.pool))[0]!.madeAs
    await target.pool.query(`create index ${madeAs} on tidemark_rows.t4711_1 (c2);
      update pg_index set indisvalid = false where indexrelid = 'tidemark_rows.${madeAs}'::regclass`)
    expect(await listIndexes(target.pool)).toMatchObject([{ state: 'unfinished' }])

    expect(await make()).toMatchObject([{ state: 'made' }])
    expect(await made()).toEqual(['btree (c2) WHERE "tidemark$live"'])
  })

  test('that are many, maintenance leaves it to the command; on few it makes it', async () => {
    await apply(begun())
    await target.pool.query(`
      insert into tidemark_rows.t4711_1 (c1, c2, "tidemark$epoch", "tidemark$phase", "tidemark$live", "tidemark$lsn")
      select n, 'name ' || n, 1, 1, true, 20 from generate_series(100, 120000) n`)
    await declare('(lower(name))')

    await target.pool.query('select tidemark.maintain()')
    expect(await listIndexes(target.pool)).toMatchObject([{ state: 'missing', problem: null }])

    expect(await make()).toMatchObject([{ state: 'made' }])
    // Without its statistics the planner could only guess how many rows have a value of the expression.
    expect(await rows(`select attname from pg_stats where tablename ~ '_i\\d+$'`)).toEqual([{ attname: 'lower' }])
  })
})

describe('a definition', () => {
  const strange = `Its "strange" name, ${'ü'.repeat(20)} c2`
  const columns = [
    columnContract(1, 'c2', 'bigint', { key: 1, nullable: false }),
    columnContract(2, strange, 'text'),
    columnContract(5, 'c1', 'character varying(20)'),
    columnContract(7, 'UPPER', 'text', { generated: true, expression: '"upper"((c1)::text)' }),
  ]
  const table = `S "x".${'T'.repeat(63)}`
  // A copy of the template does not have the rights on the database.
  const mayMakeSchemas = () => target.pool.query(`grant create on database ${target.name} to tidemark_owner`)
  const strangeTable = ordersContract({ schema: 'S "x"', table: 'T'.repeat(63), columns })

  test('may have any names of columns, also those that the rows have for other ones, on tables with any name', async () => {
    await mayMakeSchemas()
    await apply(new ChangeLog().contract(strangeTable))
    const quoted = `"${strange.replaceAll('"', '""')}"`

    await declare(`using hash (${quoted})`, { table })
    await declare(`(c1 desc nulls last, c2) include (${quoted}) with (fillfactor = 70) where c1 <> 'it''s ;'`, {
      table,
    })

    expect(await make()).toMatchObject([
      { table, name: `${'T'.repeat(63)}_${strange}_idx`, state: 'made', definition: `USING hash (${quoted})` },
      { table, name: `${'T'.repeat(63)}_c1_c2_${strange}_idx`, state: 'made' },
    ])
    expect(await made()).toEqual([
      'hash (c2) WHERE "tidemark$live"',
      `btree (c5 DESC NULLS LAST, c1) INCLUDE (c2) WITH (fillfactor='70') WHERE ("tidemark$live" AND ((c5)::text <> 'it''s ;'::text))`,
    ])
  })

  test('of a generated column is refused with its expression, and an index on that is used through the view', async () => {
    await mayMakeSchemas()
    await apply(new ChangeLog().contract(strangeTable))
    const wanted = `Write its expression instead: (("upper"((c1)::text))::text)`
    await expect(declare('("UPPER")', { table })).rejects.toMatchObject({
      message: `column "UPPER" is generated, so the view computes it and the rows do not have it`,
      hint: wanted,
    })

    await declare(`(${wanted.slice(wanted.indexOf(': ') + 2)})`, { table })
    await make()
    await target.pool.query(`
      insert into tidemark_rows.t4711_1 (c1, c5, "tidemark$epoch", "tidemark$phase", "tidemark$live", "tidemark$lsn")
      select n, 'name ' || n, 1, 1, true, 20 from generate_series(100, 20000) n;
      analyze tidemark_rows.t4711_1`)

    const [scheme, named] = ['"S ""x"""', `"${'T'.repeat(63)}"`]
    const plan = await rows(`explain (costs off) select c2 from ${scheme}.${named} where "UPPER" = 'NAME 700'`)
    expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toMatch(/Index Scan.* t4711_1_i\d+/)
  })

  test.each([
    ['(nothing)', 'column "nothing" does not exist'],
    ['(name', expect.stringContaining('it is not the definition of one index')],
    [
      '(name); drop table tidemark.progress; select (1',
      expect.stringContaining('it is not the definition of one index'),
    ],
    ['(name) -- where', expect.stringContaining('it is not the definition of one index')],
    ['(name) /* */', expect.stringContaining('it is not the definition of one index')],
    ["(name) where name = E'\\'; drop table x; --'", expect.stringContaining('it is not the definition of one index')],
    ['', expect.stringContaining('it is not the definition of one index')],
    ['name', 'syntax error at or near "name"'],
    ['(name) unique', 'syntax error at or near "unique"'],
    ['(name) where', 'syntax error at end of input'],
    ['((random()))', 'functions in index expression must be marked IMMUTABLE'],
    ['(name) where now() > now()', 'functions in index predicate must be marked IMMUTABLE'],
    ['(((select 1)))', 'cannot use subquery in index expression'],
    ['(id) where "tidemark$live"', 'column "tidemark$live" does not exist'],
    ['(c2)', 'column "c2" does not exist'],
    ['(tableoid)', 'index creation on system columns is not supported'],
    ['((orders.id))', expect.stringContaining('missing FROM-clause entry')],
    ['(name nothing_ops)', expect.stringContaining('operator class "nothing_ops" does not exist')],
    ['(name) tablespace pg_global', expect.stringContaining('global')],
    ['((probe_index_4711 is null))', expect.stringContaining('it uses the whole row')],
  ])('that cannot be one of an index is refused before anything changes: %s', async (definition, message) => {
    await apply(begun())

    await expect(declare(definition)).rejects.toMatchObject({ message })

    expect(await rows('select from tidemark.user_index')).toEqual([])
    expect(await rows(`select relname from pg_class where relname like 'probe%'`)).toEqual([])
    expect(await rows('select name from public.orders')).toEqual([{ name: 'a' }])
  })

  test('that calls a function which the applying role may not execute is refused', async () => {
    await apply(begun())
    await target.pool.query(`
      create function public.secret(text) returns text language sql immutable return $1;
      revoke execute on function public.secret from public; grant execute on function public.secret to tidemark_owner`)

    await expect(declare('(secret(name))')).rejects.toMatchObject({
      message: 'tidemark_apply, which writes the rows, may not execute the function public.secret(text)',
      hint: 'grant execute on function public.secret(text) to tidemark_apply',
    })
    await target.pool.query('grant execute on function public.secret(text) to tidemark_apply')
    await declare('(secret(name))')

    expect(await make()).toMatchObject([{ state: 'made' }])
  })

  test('that does not fit each table below a parent is refused', async () => {
    const parents = [{ schema: 'public', table: 'sales' }]
    const log = new ChangeLog().contract(ordersContract({ parents }))
    log.contract(ordersContract({ relation: 4712, table: 'orders_2', parents, columns: [id] }))
    await apply(log)

    await expect(declare('(name)', { table: 'public.sales' })).rejects.toMatchObject({
      message: 'column "name" does not exist',
    })
    await declare('(id)', { table: 'public.sales' })
    expect(await make()).toMatchObject([{ state: 'made' }, { state: 'made' }])
  })

  test('that is declared again changes nothing, and another one of its name is refused', async () => {
    await apply(begun())

    expect(await declare('(name)')).toBe('orders_name_idx')
    expect(await declare('( "name" )')).toBe('orders_name_idx')
    expect(await declare('(name) where id > 7')).toBe('orders_name_idx1')
    await expect(declare('(amount)', { name: 'orders_name_idx' })).rejects.toMatchObject({
      message: 'public.orders has an index orders_name_idx already: USING btree (name)',
    })
    expect(await make()).toHaveLength(2)
  })

  test('is declared and made by a member of tidemark_owner that is no superuser, also while a change of the table waits', async () => {
    const log = begun()
    await apply(log)
    const role = { username: `owner_${target.name}`, password: 'not secret' }
    await target.pool.query(`create role ${role.username} login password '${role.password}' in role tidemark_owner`)
    const [making, watching] = [0, 1].map(() => new pg.Client(databaseUrl(target.name, role))) as [pg.Client, pg.Client]
    await Promise.all([making.connect(), watching.connect()])
    const waiting = clients[2]!
    await waiting.query('begin isolation level repeatable read; select from pg_class')

    await declareIndex(making, { table: 'public.orders', definition: '(lower(name))', name: '' })
    const made = makeMissingIndexes({ making, watching }, null, () => undefined)
    await until('the index is begun', async () => (await listIndexes(target.pool))[0]!.state === 'being made')
    const columns = [...ordersContract().columns, columnContract(4, 'note', 'text')]
    await apply(log.contract(ordersContract({ version: 2, columns }), { lsn: 30 }))
    await waiting.query('commit')

    expect(await made).toMatchObject([{ name: 'orders_lower_idx', state: 'made' }])
    await removeIndex(making, 'public.orders', 'orders_lower_idx')
    await Promise.all([making.end(), watching.end()])
    await target.pool.query(`drop role ${role.username}`)
  })

  test('is made only by a role that may change the target', async () => {
    await apply(begun())
    for (const role of ['tidemark_apply', 'tidemark_read']) {
      const client = clients[2]!
      await client.query(`set role ${role}`)
      await expect(client.query(`select tidemark.declare_index('public.orders', '(id)')`)).rejects.toThrow(
        'permission denied for function declare_index',
      )
      await expect(client.query(`select tidemark.forget_index('public.orders', 'x')`)).rejects.toThrow(
        'permission denied for function forget_index',
      )
      await expect(client.query(`insert into tidemark.user_index default values`)).rejects.toThrow('permission denied')
    }
  })
})

test('an index that is removed is dropped everywhere and is on no later generation', async () => {
  const log = begun()
  await apply(log)
  await declare('(name)')
  await declare('(amount)')
  await make()
  await expect(removeIndex(sessions.making, 'public.orders', 'orders_nme_idx')).rejects.toMatchObject({
    message: 'public.orders has no declared index orders_nme_idx',
    hint: 'It has orders_amount_idx, orders_name_idx.',
  })

  await removeIndex(sessions.making, 'public.orders', 'orders_name_idx')

  expect(await made()).toEqual(['btree (c3) WHERE "tidemark$live"'])
  await apply(log.contract(ordersContract({ version: 2, generation: 2, columns: [id, name] }), { lsn: 20 }))
  expect(await made()).toEqual([])
})

test('a table that is not captured has no index declared on it', async () => {
  await apply(begun())

  await expect(declare('(name)', { table: 'public.other' })).rejects.toMatchObject({
    message: 'no captured table is called public.other',
  })
})
