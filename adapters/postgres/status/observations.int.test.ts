import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { makeObserveSource } from './source-observation.ts'
import { makeObserveTarget } from './target-observation.ts'

let source: TestDatabase
let target: TestDatabase
let reader: pg.Pool

beforeAll(async () => {
  ;[source, target] = await Promise.all([createDatabase('source'), createDatabase('target')])
  await source.pool.query(
    `select tidemark.configure(3, '{"schemas":["public"],"includeTables":[],"excludeTables":[],"excludeColumns":[]}')`,
  )
  await source.pool.query(`
    create table public.item (id integer primary key);
    create table public.log (line text, "Line" text);
    insert into public.item select generate_series(1, 50)`)
  const { rows } = await source.pool.query(
    `select tidemark.describe_table('public.item'::regclass) || '{"version": 1}' as contract`,
  )
  await target.pool.query('select tidemark.shape_latest_state(1, $1)', [rows[0].contract])
  reader = lastingPool({ connectionString: target.url, options: '-c role=tidemark_read', max: 2 })
})

afterAll(async () => {
  await reader?.end()
  await Promise.all([source?.drop(), target?.drop()])
})

test('the source shows how far its capture is, and what it does not capture', async () => {
  await source.pool.query('select tidemark.emit_beacon()')

  expect(await makeObserveSource(source.pool)()).toMatchObject({
    beacon: 1,
    topicPartitions: 3,
    retainedWalBytes: null,
    tables: [{ name: 'public.item', state: 'pending', rows: 50, isEstimate: false }],
    uncaptured: [
      { name: 'public.item', why: expect.stringContaining('is being captured') },
      {
        name: 'public.log',
        why: expect.stringContaining('differ only in case'),
        fix: expect.stringContaining('alter table public.log'),
      },
    ],
  })
})

test('the target shows a reader what it has applied and what is stopped; delete markers are no rows', async () => {
  const { rows } = await target.pool.query(
    'select tidemark.rows_name(relation, generation) as name from tidemark.generation',
  )
  await target.pool.query(`
    insert into tidemark_rows.${rows[0].name} select 1, 1, n <= 30, true, n, n from generate_series(1, 40) n;
    insert into tidemark.progress (consumer, topic, topic_partition, next_offset, beacon_number, beacon_at, committed_at)
    values ('tidemark-latest-state', 'changes', 1, 7, 5, now() - interval '2 seconds', now() - interval '1 hour'),
      ('tidemark-user-state', 'user-events', 0, 7, null, null, null);
    insert into tidemark.stop (consumer, topic, topic_partition, at_offset, reason)
    values ('tidemark-latest-state', 'changes', 1, 8, 'records 8 to 9 are missing');
    select tidemark.stop_table(1, 1, 'public', 'track', 'a type is missing', 'accept', false);
    insert into tidemark.quarantine
      (topic, topic_partition, record_offset, relation, table_name, reason, quarantined_at)
    values ('changes', 0, 1, 1, 'public.track', 'kept', now()), ('changes', 0, 2, 1, 'public.track', 'kept', now()),
      ('user-events', 0, 1, 0, null, 'older', now() - interval '1 day'), ('user-events', 0, 2, 0, null, 'newest', now()),
      ('changes', 0, 3, 7, 'public.item', 'a number is too large', now());
    insert into tidemark.archive_problem (kind, reason, command) values ('table', 'it is gone', 'npm run archive');
    select tidemark.declare_index('public.item', '(id)');
    insert into tidemark.user_index (schema_name, table_name, index_name, definition)
    values ('public', 'item', 'item_gone_idx', '(gone)'), ('public', 'other', 'x', '(id)');
    select tidemark.fit_index(u.id, t.contract)
    from tidemark.user_index u
    cross join tidemark.indexable_tables() t
    where u.index_name = 'item_gone_idx';
    create view public.gone as select 1 as id;
    create view public.report as select * from public.gone;
    insert into tidemark.shown_view (schema_name, table_name, view, empty_of)
    values ('public', 'gone', 'public.gone', '{public,gone}')`)

  expect(await makeObserveTarget(reader)()).toMatchObject({
    progress: [
      {
        consumer: 'tidemark-latest-state',
        topicPartition: 1,
        nextOffset: 7,
        beacon: 5,
        behindMs: expect.closeTo(2_000, -4),
      },
      { consumer: 'tidemark-user-state', topic: 'user-events', nextOffset: 7, beacon: null, behindMs: null },
    ],
    stops: [
      {
        ...{ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 1, atOffset: 8, deliveries: 1 },
        ...{ reason: 'records 8 to 9 are missing', since: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:/) },
      },
    ],
    notCaptured: [],
    stopped: [
      { name: 'public.track', reason: 'a type is missing', repair: 'accept', automatic: false, keptRecords: 2 },
    ],
    quarantined: [
      { topic: 'changes', table: 'public.item', records: 1, newestReason: 'a number is too large' },
      { topic: 'user-events', table: null, records: 2, newestReason: 'newest' },
    ],
    archiveProblems: [
      { kind: 'table', reason: 'it is gone', command: 'npm run archive', since: expect.stringMatching(/^\d{4}-/) },
    ],
    missing: [],
    emptyViews: [{ name: 'public.gone', dependents: 'view public.report', droppedBy: 'drop view public.report;' }],
    indexProblems: [
      {
        table: 'public.item',
        name: 'item_gone_idx',
        reason: 'it does not fit the columns of public.item: column "gone" does not exist',
        fits: false,
      },
      { table: 'public.item', name: 'item_id_idx', reason: 'it is not on all rows yet', fits: true },
    ],
    tables: [{ name: 'public.item', rows: 30, isEstimate: false }],
  })
})

test('the target shows tables that left the publication until they are published again, but no tables that were never captured', async () => {
  const { rows } = await source.pool.query(
    `select tidemark.describe_table('public.item'::regclass) || '{"published": true}' as contract`,
  )
  const keep = (version: number, changes: object, relation?: number) =>
    target.pool.query(
      `insert into tidemark.contract (topic, topic_partition, epoch, relation, version, at_offset, phase, lsn, contract)
       values ('changes', 0, 1, coalesce($3::bigint, ($2::jsonb ->> 'relation')::bigint), $1::integer, 0, 1, 0, $2)`,
      [version, JSON.stringify({ ...rows[0].contract, version, ...changes }), relation ?? null],
    )
  const notCaptured = async () => (await makeObserveTarget(reader)()).notCaptured
  await keep(1, {})
  await keep(1, { published: false, table: 'never' }, 99)
  expect(await notCaptured()).toEqual([])

  await keep(2, { published: false })
  expect(await notCaptured()).toEqual([
    { name: 'public.item', reason: expect.stringMatching(/^it has left the publication/) },
  ])
  await keep(3, { published: false, refusal: 'its owner cannot write' })
  expect(await notCaptured()).toEqual([{ name: 'public.item', reason: 'its owner cannot write' }])

  await keep(4, {})
  expect(await notCaptured()).toEqual([])
})
