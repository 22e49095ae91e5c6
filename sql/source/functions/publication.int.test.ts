import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)

const controlTables = ['tidemark.beacon', 'tidemark.signal', 'tidemark.table_contract']

/** What the publication publishes, by which operations. */
async function publication() {
  const { rows } = await run(`
    select concat_ws(' ', case when pubinsert then 'insert' end, case when pubupdate then 'update' end,
        case when pubdelete then 'delete' end, case when pubtruncate then 'truncate' end) as operations,
      pubviaroot as "viaRoot",
      array(
        select r.prrelid::regclass::text from pg_publication_rel r
        where r.prpubid = p.oid order by r.prrelid::regclass::text
      ) as tables
    from pg_publication p where pubname = 'tidemark'`)
  return rows[0]
}

const whole = (...tables: string[]) => ({
  operations: 'insert update delete truncate',
  viaRoot: false,
  tables: [...tables, ...controlTables],
})

const generation = async () => (await source.contracts('public.ride')).at(-1)!.generation

beforeEach(async () => {
  source = await createSource()
  await source.listen()
  await run(`
    create table ride (id int primary key);
    select tidemark.publish_table('ride'::regclass);
    begin; select tidemark.await_writers('ride'::regclass); commit`)
  expect(await publication()).toEqual(whole('ride'))
})

afterEach(() => source.drop())

const alterations = [
  `alter publication tidemark set (publish = 'insert')`,
  'alter publication tidemark set (publish_via_partition_root)',
  'alter publication tidemark drop table tidemark.beacon, tidemark.table_contract',
  'alter publication tidemark set table ride',
]

test.each(alterations)('changes are complete after "%s": it is undone in the same transaction', async (alteration) => {
  await run(alteration)

  expect(await publication()).toEqual(whole('ride'))
  await run('select tidemark.catch_up()')
  expect(await generation()).toBe(1)
})

test.each([...alterations, 'drop publication tidemark'])(
  'after "%s" that no event trigger saw, the next capture begins a snapshot of the tables',
  async (alteration) => {
    await run(`
      begin; set local session_replication_role = replica;
      alter event trigger tidemark_ddl_command_end enable;
      alter event trigger tidemark_sql_drop enable;
      ${alteration};
      alter event trigger tidemark_ddl_command_end enable always;
      alter event trigger tidemark_sql_drop enable always;
      commit`)
    expect(await publication()).not.toEqual(whole('ride'))

    await run(`select tidemark.catch_up(); select tidemark.publish_table('ride'::regclass)`)

    expect(await publication()).toEqual(whole('ride'))
    expect(await generation()).toBe(2)
    expect(await source.state('public.ride')).toMatchObject({ state: 'awaiting writers' })
  },
)
