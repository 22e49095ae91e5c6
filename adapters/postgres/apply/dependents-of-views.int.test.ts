import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChangeLog, columnContract, type LoggedRecord, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { type LatestState, makeLatestState } from './latest-state.ts'

let target: TestDatabase
let latestState: LatestState

beforeEach(async () => {
  target = await createDatabase('target')
  latestState = makeLatestState(target.pool)
})
afterEach(() => target.drop())

const apply = (log: ChangeLog, records: readonly LoggedRecord[] = log.records) =>
  latestState.apply({ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }, records)
const rows = async (query: string) => (await target.pool.query(query)).rows
const run = (statements: string) => target.pool.query(statements)
/** Runs maintenance until nothing is left to do. */
const maintain = async () => {
  while ((await rows('select tidemark.maintain() as round'))[0].round.more);
}
const stopped = () => rows('select relation::int, reason from tidemark.stopped_table')
const kept = () => rows('select schema_name, table_name, dependents, dropped_by from tidemark.empty_view')

const id = columnContract(1, 'id', 'bigint', { key: 1, nullable: false })
const name = columnContract(2, 'name', 'text')
const dropped = ordersContract({ version: 2, dropped: true })
const again = { relation: 4712 }

const begin = () => new ChangeLog().contract(ordersContract()).create({ id: 1, name: 'a', amount: null }, { lsn: 10 })

describe('a table that is dropped in the source while objects of a user depend on its view', () => {
  test('leaves these objects in place over no rows, stops nothing, and is listed with what drops them', async () => {
    const log = begin().contract(ordersContract({ relation: 4799, table: 'others', columns: [id] }))
    await apply(log)
    await run(`create view public.report as select id, name from public.orders;
      create materialized view public."Sums" as select count(*) from public.report`)

    const outcome = await apply(log.contract(dropped, { lsn: 20 }).create({ id: 7 }, { lsn: 21, table: 'others' }))

    expect(outcome.kind).toBe('applied')
    expect(await stopped()).toEqual([])
    expect(await rows('select * from public.report')).toEqual([])
    expect(await rows('select id from public.others')).toEqual([{ id: '7' }])
    expect(await rows(`select relation from tidemark.generation where relation = 4711`)).toEqual([])
    expect(await kept()).toEqual([
      {
        schema_name: 'public',
        table_name: 'orders',
        dependents: 'view public.report and materialized view public."Sums"',
        dropped_by: 'drop materialized view public."Sums";\ndrop view public.report;',
      },
    ])
  })

  test('gives its view to a new table of its name whose columns fit, and the objects go on with the rows of that', async () => {
    const log = begin()
    await apply(log)
    await run('create view public.report as select id, name from public.orders')
    log.contract(dropped, { lsn: 20 })
    log.contract(
      ordersContract({ ...again, columns: [...ordersContract().columns, columnContract(4, 'note', 'text')] }),
    )
    log.create({ id: 2, name: 'b', amount: null, note: 'new' }, { lsn: 31 })

    await apply(log)

    expect(await stopped()).toEqual([])
    expect(await rows('select * from public.report')).toEqual([{ id: '2', name: 'b' }])
    expect(await rows('select note from public.orders')).toEqual([{ note: 'new' }])
    expect(await kept()).toEqual([])
  })

  test('frees its name for a new table whose columns do not fit; rights on the view go over, the objects stay empty', async () => {
    const log = begin()
    await apply(log)
    await run(`create role somebody; grant select on public.orders to somebody;
      create view public.report as select id, name from public.orders`)
    log.contract(dropped, { lsn: 20 })
    log.contract(ordersContract({ ...again, columns: [name, id] })).create({ id: 2, name: 'b' }, { lsn: 31 })

    await apply(log)
    const granted = await rows(`select has_table_privilege('somebody', 'public.orders', 'select') as granted`)
    await run('drop owned by somebody; drop role somebody')

    expect(await stopped()).toEqual([])
    expect(granted).toEqual([{ granted: true }])
    expect(await rows('select * from public.orders')).toEqual([{ name: 'b', id: '2' }])
    expect(await rows('select * from public.report')).toEqual([])
    expect(await kept()).toMatchObject([
      { schema_name: 'public', table_name: 'orders', dropped_by: 'drop view public.report;' },
    ])
  })

  test.each(['before', 'after'])(
    'takes its view along once the user drops what depends on it (%s a new table)',
    async (when) => {
      const log = begin()
      await apply(log)
      await run('create view public.report as select id, name from public.orders')
      log.contract(dropped, { lsn: 20 })
      if (when === 'after') log.contract(ordersContract({ ...again, columns: [name, id] }))
      await apply(log)

      await maintain()
      expect(await kept()).toHaveLength(1)

      await run((await kept())[0].dropped_by)
      await maintain()

      expect(await kept()).toEqual([])
      const left = when === 'after' ? [{ oid: 'orders' }] : []
      expect(await rows(`select view::text as oid from tidemark.shown_view`)).toEqual(left)
      expect(await rows(`select c.relname from pg_class c where c.relkind = 'v' and c.relname like 'former%'`)).toEqual(
        [],
      )
    },
  )

  test('keeps the types of its columns, whatever their modifiers are', async () => {
    const types = ['numeric(12,2)', 'character varying(10)', 'character(3)', 'interval(3)', 'bit(5)', '"char"']
    types.push('timestamp(3) without time zone', 'text[]', 'numeric(4,1)[]', 'jsonb')
    const columns = types.map((type, index) => columnContract(index + 2, `v${index}`, type))
    const log = new ChangeLog().contract(ordersContract({ columns: [id, ...columns] }))
    await apply(log)
    expect(await stopped()).toEqual([])
    await run('create view public.report as select * from public.orders')

    await apply(log.contract(ordersContract({ version: 2, columns: [id, ...columns], dropped: true }), { lsn: 20 }))

    expect(await stopped()).toEqual([])
    expect(await kept()).toHaveLength(1)
    expect(await rows('select * from public.report')).toEqual([])
  })
})

describe('a table that lives while objects of a user depend on its view', () => {
  test('is renamed with its view: they go on with its rows, and rights stay', async () => {
    const log = begin()
    await apply(log)
    await run(`create role somebody; grant select on public.orders to somebody;
      create view public.report as select id, name from public.orders; create schema shop authorization tidemark_owner`)
    log.contract(ordersContract({ version: 2, schema: 'shop', table: 'sales' }), { lsn: 20 })
    log.create({ id: 2, name: 'b', amount: null }, { lsn: 21, schema: 'shop', table: 'sales' })

    await apply(log)
    const granted = await rows(`select has_table_privilege('somebody', 'shop.sales', 'select') as granted`)
    await run('drop owned by somebody; drop role somebody')

    expect(await stopped()).toEqual([])
    expect(granted).toEqual([{ granted: true }])
    expect(await rows('select id from public.report order by id')).toEqual([{ id: '1' }, { id: '2' }])
    expect(await rows(`select to_regclass('public.orders') as former`)).toEqual([{ former: null }])
  })

  test('stops alone where its columns change and such objects prevent that, and says what to drop', async () => {
    const log = begin()
    await apply(log)
    await run('create view public.report as select id, name from public.orders')
    log.contract(ordersContract({ version: 2, columns: [id, name] }), { lsn: 20 })
    log.create({ id: 2, name: 'b' }, { lsn: 21 })

    await apply(log)

    const [stop] = await stopped()
    expect(stop.reason).toContain('view public.report depends on the view public.orders, which has to be created again')
    expect(stop.reason).toContain(
      'save its definition (pg_get_viewdef), run drop view public.report; then npm run accept -- public.orders',
    )
    expect(await rows('select id from public.report')).toEqual([{ id: '1' }])

    await run(`drop view public.report; select tidemark.accept('public.orders')`)
    await apply(log.beacon(1))

    expect(await rows('select * from public.orders order by id')).toEqual([
      { id: '1', name: 'a' },
      { id: '2', name: 'b' },
    ])
    expect(await stopped()).toEqual([])
  })
})
