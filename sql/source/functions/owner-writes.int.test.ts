import { afterEach, beforeEach, expect, test } from 'vitest'
import { changesOfShape, full, keyless } from '#test-support/changes/changes-of-shape.ts'
import { postgresMajor } from '#test-support/databases/database.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

const run = (sql: string) => source.pool.query(sql)

/** Takes a table all the way, as capture-tables does. */
const capture = (table: string) =>
  run(`
    select tidemark.catch_up();
    select tidemark.publish_table('${table}'::regclass);
    begin; select tidemark.await_writers('${table}'::regclass); commit;
    select tidemark.end_capture('${table}'::regclass) from tidemark.captured_table
    where relation = '${table}'::regclass and state in ('awaiting writers', 'snapshotting')`)

/** What the owner of `ride` does all day. */
const write = async () => {
  await run('update ride set fare = fare + 1')
  await run('delete from ride where fare > 100')
}

/** Sets times back, as if the table had been made a minute ago, so that it does not wait for a key. */
const backdate = () =>
  run(`
    update tidemark.captured_table set since = now() - interval '1 minute', not_before = null;
    update tidemark.table_contract set created_at = now() - interval '1 minute'`)

async function makeCaptured(columns: string) {
  await run(`create table ride (${columns}); insert into ride select from generate_series(1, 3)`)
  await backdate()
  await capture('ride')
  expect(await source.published()).toEqual(['public.ride'])
}

const changes = changesOfShape(postgresMajor())

beforeEach(async () => {
  source = await createSource()
  await source.listen()
})

afterEach(async () => {
  expect((await run('select message from tidemark.contract_failure')).rows).toEqual([])
  await source.drop()
})

/** Runs advice; where it is a comment, since it would change what others get or take something along, what that says first. */
async function follow(fix: string) {
  const publications = async () =>
    (
      await run(`select p.*, r.* from pg_publication p left join pg_publication_rel r on r.prpubid = p.oid
      where p.pubname <> 'tidemark'`)
    ).rows
  const before = await publications()
  await run(fix)
  expect(await publications()).toEqual(before)
  if (fix.startsWith('-- add a primary key'))
    await run('alter table ride add k int generated always as identity primary key')
  if (fix.startsWith('-- exclude the columns')) await source.configure({ excludeColumns: ['public.ride.way'] })
  await run('select tidemark.catch_up()')
  const { fix: more } = (await source.state('public.ride'))!
  if (more !== null && more !== fix) await follow(more)
}

test.each(changes)('the owner of a captured table %s can still write to it', async (_, columns, ddl) => {
  await run('create sequence n')
  await makeCaptured(columns)

  // In one transaction: before it ends nobody has written by another replica identity.
  await run(`begin; ${ddl}; update ride set fare = fare + 1; delete from ride where fare > 100; commit`)

  await write()
  await run('select tidemark.catch_up()')
  await write()
  await capture('ride')
  await write()
  const { fix } = (await source.state('public.ride'))!
  if (fix !== null) await follow(fix)
  await backdate()
  await capture('ride')
  await write()
  expect(await source.state('public.ride')).toMatchObject({ state: 'captured', reason: null })
  await run('drop publication if exists app')
})

test.each(changes)(
  'DDL that no event trigger saw is made good by the next capture: a table %s',
  async (_, columns, ddl) => {
    await run('create sequence n')
    await makeCaptured(columns)
    await run(`
    begin;
    alter event trigger tidemark_ddl_command_end disable;
    alter event trigger tidemark_sql_drop disable;
    ${ddl};
    alter event trigger tidemark_ddl_command_end enable always;
    alter event trigger tidemark_sql_drop enable always;
    commit`)

    await run('select tidemark.catch_up()')

    await write()
    await run('drop publication if exists app')
  },
)

test.runIf(postgresMajor() >= 18)(
  'a virtual column that no publication can have is named, with what there is to choose',
  async () => {
    await makeCaptured(keyless)

    await run('alter table ride add "Twice" text collate "C" not null generated always as (note || note)')

    expect(await source.published()).toEqual([])
    expect(await source.state('public.ride')).toEqual({
      state: 'refused',
      reason:
        'its owner could not update or delete its rows: without a primary key it needs replica identity full, ' +
        'and no publication can have its virtual generated column "Twice"',
      fix:
        '-- add a primary key, or exclude the table; to make it a stored column is to drop it, with its checks, indexes, ' +
        'comments, rights and what else depends on it, and to add it: alter table public.ride drop column "Twice", ' +
        'add column "Twice" text collate "C" generated always as ((note || note)) stored not null;',
    })
    const { fix } = (await source.state('public.ride'))!
    await run(fix!)
    expect((await source.state('public.ride'))!.state).toBe('refused')
    await run(fix!.slice(fix!.indexOf('alter table')))
    await backdate()
    await capture('ride')
    expect(await source.state('public.ride')).toMatchObject({ state: 'captured', reason: null })
  },
)

test('a replica identity that capture gave is taken back where another publication forbids it, one of the owner is not', async () => {
  await makeCaptured(full)
  const identity = async () =>
    (await run(`select relreplident as identity from pg_class where oid = 'ride'::regclass`)).rows[0].identity
  expect(await identity()).toBe('f')

  const somePublication = postgresMajor() >= 15 ? 'create publication app for table ride (id)' : 'select'
  await run(somePublication)

  expect(await identity()).toBe(postgresMajor() >= 15 ? 'd' : 'f')
  await run('drop publication if exists app; alter table ride replica identity full')
  await capture('ride')
  await run(somePublication)
  expect(await identity()).toBe('f')
  await run('drop publication if exists app')
})

/** Another session whose open transaction has taken a captured table out of the publication. */
async function holdPublication() {
  await run('create table other (id int primary key)')
  await capture('other')
  const session = await source.pool.connect()
  await session.query('begin; alter table other drop constraint other_pkey')
  return {
    end: async () => {
      await session.query('commit')
      session.release()
    },
  }
}

test('a key that is dropped while another transaction takes a table out of the publication leaves a table that can be written', async () => {
  await makeCaptured('id int generated always as identity primary key, fare int')
  const other = await holdPublication()

  await run('begin; alter table ride drop constraint ride_pkey; update ride set fare = 1; commit')
  await write()

  await other.end()
  await run('select tidemark.catch_up()')
  await backdate()
  await capture('ride')
  await write()
  expect(await source.state('public.ride')).toMatchObject({ state: 'captured' })
})

test('DDL of many leaves waits for none of their locks twice', async () => {
  await run(`
    create table ride (id int not null, fare int, constraint k primary key (id)) partition by range (id);
    select format('create table leaf_%s partition of ride for values from (%s) to (%s)', i, i, i + 1)
    from generate_series(1, 12) i`)
  const leaves = Array.from({ length: 12 }, (_, i) => `leaf_${i}`)
  for (const [i, leaf] of leaves.entries()) {
    await run(`create table ${leaf} partition of ride for values from (${i}) to (${i + 1})`)
    await capture(leaf)
  }
  const other = await holdPublication()

  // Each leaf waits for 200 ms where each is waited for.
  await run(`set statement_timeout = '1800ms'; alter table ride drop constraint k; reset statement_timeout`)
  await run('update ride set fare = 1; delete from ride')

  await other.end()
  await run('select tidemark.catch_up()')
})

test.runIf(postgresMajor() >= 18)(
  'DDL is refused that leaves no way to write while another transaction holds the publication, and goes through afterwards',
  async () => {
    await makeCaptured(keyless)
    const other = await holdPublication()
    const ddl = 'alter table ride add twice text generated always as (note || note)'

    await expect(run(ddl)).rejects.toMatchObject({
      code: '55P03',
      message: expect.stringContaining('rows of public.ride could not be updated or deleted'),
    })
    await write()

    await other.end()
    await run(ddl)
    await write()
    expect(await source.state('public.ride')).toMatchObject({ state: 'refused' })
  },
)

test('a key that is dropped while its contract cannot be written leaves a table that can be written', async () => {
  await makeCaptured('id int generated always as identity primary key, fare int')
  const session = await source.pool.connect()
  await session.query('begin; lock table tidemark.table_contract')

  await run('alter table ride drop constraint ride_pkey')
  await write()

  await session.query('commit')
  session.release()
  await run('select tidemark.catch_up()')
  await backdate()
  await capture('ride')
  await write()
  expect(await source.state('public.ride')).toMatchObject({ state: 'captured' })
})
