import { appendFileSync } from 'node:fs'
import { test } from 'vitest'
import { consolePool } from '#test-support/databases/console-pool.ts'
import { createDatabase } from '#test-support/databases/database.ts'
import { makeChangeList, parseCursor } from './change-list.ts'
import { parsePlace } from './change-place.ts'
import { makeChangeTail, parseTailCursor } from './change-tail.ts'
import { makeRowLife } from './row-life.ts'
import { countQuarantined, makeCountDay, readTableFacts, readUnkept } from './table-facts.ts'

const out = '/work/scratch/console-measure.txt'
const say = (line: string) => appendFileSync(out, `${line}\n`)

test('measure', { timeout: 3_000_000 }, async () => {
  const TOTAL = Number(process.env['ROWS'] ?? 10_000_000)
  const DAYS = 30
  const target = await createDatabase('target')
  const pool = target.pool
  const began = performance.now()
  await pool.query(`insert into tidemark.contract (topic, topic_partition, epoch, relation, version, at_offset, phase, lsn, contract)
    select 'changes', p, 1, r, 1, 1, 1, 1, jsonb_build_object('relation', r, 'version', 1, 'schema', 'public', 'table', 't' || r, 'dropped', false,
      'published', true, 'refusal', null, 'generation', 1, 'complete', true, 'topicPartitions', 4, 'replicaIdentity', 'default', 'parents', '[]'::jsonb,
      'columns', (select jsonb_agg(jsonb_build_object('number', n, 'name', 'column_' || n, 'type', case n when 1 then 'bigint' when 8 then 'timestamp with time zone' else 'text' end,
        'carried', case n when 1 then 'bigint' when 8 then 'timestamp with time zone' else 'text' end, 'wire', 'value', 'nullable', true, 'generated', false,
        'expression', null, 'key', case n when 1 then 1 end, 'missing', null, 'definition', null) order by n) from generate_series(1, 8) n))
    from generate_series(1, 1000) r, generate_series(0, 3) p`)
  await pool.query(
    `insert into tidemark.table_marker (relation, schema_name, table_name, epoch, version) select r, 'public', 't' || r, 1, 1 from generate_series(1, 1000) r`,
  )
  await pool.query(
    `select tidemark.ensure_change_days((now() - interval '${DAYS} days')::date, (now() + interval '1 day')::date)`,
  )
  const {
    rows: [{ start }],
  } = await pool.query(
    `select to_char(date_trunc('day', now() at time zone 'UTC') - interval '${DAYS - 1} days', 'YYYY-MM-DD') as start`,
  )
  const perDay = TOTAL / DAYS
  for (let d = 0; d < DAYS; d++) {
    const from = Math.floor(d * perDay),
      to = Math.floor((d + 1) * perDay)
    await pool.query(`insert into tidemark_rows.change (committed_at, relation, key_hash, ordinal, lsn, txid, epoch, version, op, key, after)
      select '${start} 00:00Z'::timestamptz + (n / 2) * interval '1 microsecond' * ${Math.floor((86_400_000_000 / perDay) * 2)}, r, tidemark.key_hash(r, array[k]), 2 * n, n, n / 2, 1, 1,
        (case when n < 3000000 then 'c' else 'u' end)::"char", array[k], array[k, 'name of ' || k, 'value ' || n, 'x', 'some longer text to fill the row a little', null, 'v' || (n % 7), '2026-01-01 00:00:00Z']
      from (select n, 1 + n % 1000 as r, ((n / 1000) % 3000 + 1)::text as k from generate_series(${from}::bigint, ${to - 1}::bigint) n) x`)
    if (d % 5 === 0) say(`day ${d} ${Math.round((performance.now() - began) / 1000)} s`)
  }
  await pool.query(`insert into tidemark.audit_message (epoch, txid, lsn, committed_at, who, why)
    select 1, t, t, '${start} 00:00Z'::timestamptz + t * interval '1 microsecond' * ${Math.floor((86_400_000_000 / perDay) * 2)}, case when t % 1000000 = 20 then 'rare person' else 'user ' || t % 50 end, 'because'
    from generate_series(0::bigint, ${TOTAL / 2}::bigint, 20) t`)
  await pool.query(
    `insert into tidemark.progress (consumer, topic, topic_partition, next_offset, committed_at) select 'tidemark-latest-state', 'changes', p, ${TOTAL}, (select max(committed_at) from tidemark_rows.change where committed_at > now() - interval '1 day') from generate_series(0, 3) p`,
  )
  await pool.query('vacuum analyze tidemark_rows.change')
  await pool.query('vacuum analyze tidemark.contract')
  await pool.query('vacuum analyze tidemark.audit_message')
  const {
    rows: [size],
  } = await pool.query(
    `select pg_size_pretty(sum(pg_total_relation_size(inhrelid))) s from pg_inherits where inhparent = 'tidemark_rows.change'::regclass`,
  )
  say(`generated ${TOTAL} in ${Math.round((performance.now() - began) / 1000)} s, ${size.s}`)

  const reader = consolePool(target)
  const list = makeChangeList(reader, { now: () => performance.now(), budgetMs: 200 })
  const measure = async (name: string, work: () => Promise<unknown>) => {
    const times: number[] = []
    let last: unknown
    for (let i = 0; i < 5; i++) {
      const t = performance.now()
      last = await work()
      times.push(Math.round(performance.now() - t))
    }
    say(`${name}: first ${times[0]} ms, then ${times.slice(1).join(' ')} — ${String(last)}`)
    return last
  }
  const summary = (page: Awaited<ReturnType<typeof list.list>>) =>
    `${page!.items.length} items, until ${page!.searchedUntil}, next ${page!.next}`
  const first = (await list.list({}, undefined, 50))!
  await measure('list, first page', async () => summary(await list.list({}, undefined, 50)))
  await measure('list, second page', async () => summary(await list.list({}, parseCursor(first.next!), 50)))
  const {
    rows: [deep],
  } = await pool.query(`select (extract(epoch from now() - interval '15 days')*1000000)::bigint as us`)
  await measure('list, 15 days back', async () =>
    summary(await list.list({ until: new Date(Number(deep.us) / 1000).toISOString() }, undefined, 50)),
  )
  await measure('table', async () => summary(await list.list({ table: 'public.t500' }, undefined, 50)))
  const tp = (await list.list({ table: 'public.t500' }, undefined, 50))!
  await measure('table, second page', async () =>
    summary(await list.list({ table: 'public.t500' }, parseCursor(tp.next!), 50)),
  )
  await measure('key', async () =>
    summary(await list.list({ table: 'public.t500', key: '{"column_1": 7}' }, undefined, 50)),
  )
  await measure('key, absent', async () =>
    summary(await list.list({ table: 'public.t500', key: '{"column_1": 99999}' }, undefined, 50)),
  )
  await measure('op truncate (none)', async () => summary(await list.list({ op: 'truncate' }, undefined, 50)))
  await measure('op insert (26 days ago)', async () => summary(await list.list({ op: 'insert' }, undefined, 50)))
  await measure('who, common', async () => summary(await list.list({ who: 'user 7' }, undefined, 50)))
  await measure('who, rare', async () => summary(await list.list({ who: 'rare' }, undefined, 50)))
  await measure('transaction', async () => summary(await list.list({ transaction: '1234567' }, undefined, 50)))
  const walk = async (filter: object) => {
    let page = (await list.list(filter, undefined, 50))!
    let rounds = 1
    for (; page.next !== null; rounds++) page = (await list.list(filter, parseCursor(page.next), 50))!
    return rounds
  }
  const t0 = performance.now()
  say(`all of truncate: ${await walk({ op: 'truncate' })} rounds in ${Math.round(performance.now() - t0)} ms`)
  const one = first.items[3]!
  await measure('one change', async () => (await list.one(parsePlace(one.id)!, one.id))!.columns.length)
  await measure(
    'transaction with time',
    async () =>
      (await list.transaction({ epoch: one.epoch, transaction: one.transaction!, at: one.committedAt }, undefined, 50))!
        .changes.length,
  )
  const life = makeRowLife(reader, { now: () => performance.now(), budgetMs: 200 }, 'archive')
  await measure(
    'life of a row',
    async () => (await life('public.t500', '{"column_1": "7"}', undefined, 50)).changes.length,
  )
  await measure('export 500', async () => (await list.exported({}, undefined, 500))!.changes.length)
  const tail = makeChangeTail(reader, { now: () => performance.now(), budgetMs: 200 })
  const { cursor } = await tail(undefined, 50)
  await measure('tail, first', async () => (await tail(undefined, 50)).items.length)
  await measure('tail, idle', async () => (await tail(parseTailCursor(cursor)!, 50)).items.length)
  await pool.query(`insert into tidemark_rows.change (committed_at, relation, key_hash, ordinal, lsn, txid, epoch, version, op, key, after)
    select p.committed_at + n * interval '1 ms', 5, tidemark.key_hash(5, array[n::text]), 30000000 + n, 20000000 + n, 9000000 + n, 1, 1, 'c', array[n::text], array[n::text, 'a', 'b', 'c', 'd', 'e', 'f', '2026-01-01Z']
    from generate_series(1, 1000) n, (select max(committed_at) as committed_at from tidemark.progress) p`)
  await pool.query('update tidemark.progress set next_offset = next_offset + 250')
  await measure('tail, 1,000 new', async () => {
    const a = await tail(parseTailCursor(cursor)!, 50)
    return `${a.items.length} and ${a.skipped}`
  })
  await measure('count of a day', async () => (await makeCountDay(reader, () => 0)())?.size)
  await measure(
    'tables besides',
    async () => (await Promise.all([countQuarantined(reader), readUnkept(reader)])).length,
  )
  await measure('table facts', async () => (await readTableFacts(reader, 'public.t500'))!.contracts.length)
  await pool.query(`insert into tidemark_rows.change (committed_at, relation, key_hash, ordinal, lsn, epoch, version, op, key, after)
    select now(), 7, tidemark.key_hash(7, array[n::text]), 40000000 + n, 20000000, 1, 1, 'r', array[n::text], array[n::text, 'a', 'b', 'c', 'd', 'e', 'f', '2026-01-01Z']
    from generate_series(1, 1000000) n`)
  await measure('list, where a snapshot has read 1,000,000 rows at one instant', async () =>
    summary(await list.list({}, undefined, 50)),
  )
  await reader.end()
  await target.drop()
})
