import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FabricatedPipeline, startFabricatedPipeline } from '#test-support/databases/fabricated-pipeline.ts'
import { eventually } from '#test-support/eventually.ts'
import { type CompareOptions, compareDatabases, isEqual } from './compare-databases.ts'
import { makeConsoleEquality } from './console-equality.ts'

let pipeline: FabricatedPipeline

beforeEach(async () => {
  pipeline = await startFabricatedPipeline(`
    create table public.item (
      id integer primary key,
      price numeric,
      note text
    );
    create table public.translation (
      item integer,
      language text,
      text text,
      primary key (language, item)
    );
    insert into public.item select n, n * 1.10, 'item ' || n from generate_series(-50, 300) n;
    insert into public.translation select n, l, l || n from generate_series(1, 50) n, unnest('{de,en,fr-CH,Ägypt}'::text[]) l`)
  await pipeline.capture(['public.item', 'public.translation'])
})

afterEach(async () => {
  await pipeline?.stop()
})

const compare = (options: Partial<CompareOptions> = {}) =>
  compareDatabases({ source: pipeline.source.url, target: pipeline.targetUrl, waitMs: 20_000, ...options })

test('equal databases are equal, every row is counted, and what is not captured is reported with the SQL that changes it', async () => {
  await pipeline.source.pool.query(`
    insert into tidemark.captured_table (relation, schema_name, table_name, state, reason, fix)
    values (1, 'public', 'log', 'refused', 'it has no rows', 'drop table public.log;')`)

  const comparison = await compare()

  expect(comparison.tables.map(({ examples, columns, keyColumns, ...counts }) => counts)).toEqual([
    { table: 'public.item', sourceRows: 351, targetRows: 351, differing: 0, changing: 0 },
    { table: 'public.translation', sourceRows: 200, targetRows: 200, differing: 0, changing: 0 },
  ])
  expect(comparison.uncaptured).toEqual([
    {
      name: 'public.log',
      why: 'it has no rows',
      fix: 'drop table public.log;',
    },
  ])
  expect(isEqual(comparison)).toBe(true)
})

test('a changed value, a missing row and a row too many are shown side by side', async () => {
  const [item, translation] = ['held."public.item"', 'held."public.translation"']
  pipeline.tamper = `
    update ${item} set price = 1.1000 where id = 1;
    update ${item} set note = null where id = 300;
    delete from ${item} where id = -7;
    insert into ${item} values (301, null, 'too many');
    update ${translation} set text = '' where language = 'Ägypt' and item = 50`

  const comparison = await compare()

  expect(isEqual(comparison)).toBe(false)
  expect(comparison.tables).toMatchObject([
    {
      columns: ['id', 'price', 'note'],
      sourceRows: 351,
      targetRows: 351,
      differing: 4,
      examples: [
        { key: ['-7'], source: ['-7', '-7.70', 'item -7'], target: undefined },
        { key: ['1'], source: ['1', '1.10', 'item 1'], target: ['1', '1.1000', 'item 1'] },
        { key: ['300'], source: ['300', '330.00', 'item 300'], target: ['300', '330.00', null] },
        { key: ['301'], source: undefined, target: ['301', null, 'too many'] },
      ],
    },
    {
      differing: 1,
      examples: [{ key: ['Ägypt', '50'], source: ['50', 'Ägypt', 'Ägypt50'], target: ['50', 'Ägypt', ''] }],
    },
  ])
})

test('every difference is counted, the first five are shown', async () => {
  const item = 'held."public.item"'
  pipeline.tamper = `delete from ${item}`

  const comparison = await compare({ table: 'public.item' })

  expect(comparison.tables).toMatchObject([{ table: 'public.item', sourceRows: 351, targetRows: 0, differing: 351 }])
  expect(comparison.tables[0]?.examples.map(({ key }) => key[0])).toEqual(['-50', '-49', '-48', '-47', '-46'])
})

test('rows that change meanwhile are not taken for rows that differ', async () => {
  const stop = new AbortController()
  let changes = 0
  const writing = (async () => {
    for (; !stop.signal.aborted; changes++) {
      await pipeline.source.pool.query(`
        update public.item set price = price + 1 where id = (random() * 300)::integer;
        delete from public.item where id = ${-changes % 50};
        insert into public.item values (${1_000 + changes}, 0, 'new')`)
    }
  })()

  const comparisons = []
  while (comparisons.length < 5) comparisons.push(await compare({ table: 'public.item' }))

  stop.abort()
  await writing
  expect(changes).toBeGreaterThan(20)
  for (const { tables } of comparisons) expect(tables).toMatchObject([{ differing: 0, changing: 0 }])
})

test('a row that never rests is distinguished from one that differs', async () => {
  const item = 'held."public.item"'
  pipeline.tamper = `update ${item} set price = 0 where id = 5`
  // There is a beacon between any two looks, and the trigger changes the row with each.
  await pipeline.source.pool.query(`
    create function public.change_item() returns trigger
    language plpgsql
    as $$
    begin
      update public.item set price = price + 1 where id = 5;
      return null;
    end
    $$;
    create trigger change_item after update on tidemark.beacon execute function public.change_item()`)

  const comparison = await compare({ table: 'public.item' })

  expect(comparison.tables).toMatchObject([{ differing: 0, changing: 1 }])
  expect(isEqual(comparison)).toBe(false)
})

test('a table that is stopped in the target is listed and not equal, whatever its rows', async () => {
  await pipeline.target.pool.query(`
    insert into tidemark.stopped_table (relation, schema_name, table_name, reason)
    values (${await relationOf('public.item')}, 'public', 'item', 'column price was added')`)

  const comparison = await compare()

  expect(comparison.stopped).toEqual([
    { relation: expect.any(String), name: 'public.item', reason: 'column price was added' },
  ])
  expect(comparison.tables.map(({ table }) => table)).toEqual(['public.translation'])
  expect(isEqual(comparison)).toBe(false)
})

test('a captured table that the target does not have is not equal, even without rows', async () => {
  await pipeline.source.pool.query('delete from public.item')
  await pipeline.target.pool.query('drop view public.item')

  const comparison = await compare({ table: 'public.item' })

  expect(comparison.tables).toMatchObject([{ sourceRows: 0, targetRows: null, differing: 0 }])
  expect(isEqual(comparison)).toBe(false)
})

test('a target that does not get there in time is reported as lagging', async () => {
  await pipeline.halt()
  await pipeline.target.pool.query(`delete from tidemark.progress where topic_partition = 1`)
  await pipeline.target.pool.query(`
    insert into tidemark.stop (consumer, topic, topic_partition, at_offset, reason)
    values ('tidemark-latest-state', 'changes', 0, 7, 'records 7 to 9 are missing')`)
  const waits: string[] = []

  await expect(compare({ waitMs: 100, onProgress: (what) => waits.push(what) })).rejects.toThrow(
    /^gave up waiting for beacon \d+ in .*topic partition 1 \(nothing applied yet\)/,
  )
  expect(waits).toHaveLength(1)
})

test('a table that is still being snapshotted is waited for', async () => {
  await pipeline.source.pool.query(
    `update tidemark.captured_table set state = 'snapshotting' where table_name = 'item'`,
  )
  const waits: string[] = []

  const comparison = await compare({
    onProgress: (what) => {
      waits.push(what)
      void pipeline.source.pool.query(`update tidemark.captured_table set state = 'captured' where table_name = 'item'`)
    },
  })

  expect(waits[0]).toBe('waiting for public.item, which is being captured: a snapshot of its rows is under way')
  expect(isEqual(comparison)).toBe(true)
})

test('a table that does not exist is refused before anything is waited for, with the names that are near', async () => {
  const waits: string[] = []

  await expect(compare({ table: 'public.items', onProgress: (what) => waits.push(what) })).rejects.toThrow(
    'there is no table public.items: did you mean public.item',
  )
  expect(waits).toEqual([])
})

test('a database that does not answer is an error that says which and where', async () => {
  const nowhere = 'postgres://postgres@127.0.0.1:1/shop'

  await expect(compare({ target: nowhere })).rejects.toThrow(
    'the target shop at 127.0.0.1:1 is not reachable: connect ECONNREFUSED 127.0.0.1:1',
  )
})

test('a table that is being captured again is waited for, and is named when the time is up', async () => {
  const relation = await relationOf('public.item')
  await pipeline.source.pool.query(`
    update tidemark.table_contract set contract = contract || '{"generation": 2, "complete": false}'
    where relation = ${relation}`)
  const complete = () =>
    pipeline.source.pool.query(`
      update tidemark.table_contract set contract = contract || '{"complete": true}' where relation = ${relation}`)

  await expect(compare({ waitMs: 100 })).rejects.toThrow(
    'gave up waiting for public.item, which is being captured again',
  )
  expect(isEqual(await compare({ table: 'public.translation', waitMs: 2_000 }))).toBe(true)
  expect(isEqual(await compare({ onProgress: () => void complete() }))).toBe(true)
})

test('a table whose contract could not be written is waited for, and is named when the time is up', async () => {
  const relation = await relationOf('public.item')
  await pipeline.source.pool.query(
    `insert into tidemark.contract_failure (relation, message) values (${relation}, 'canceled')`,
  )
  const written = () => pipeline.source.pool.query('delete from tidemark.contract_failure')

  await expect(compare({ waitMs: 100 })).rejects.toThrow(
    'gave up waiting for public.item, which waits for a contract that could not be written: canceled',
  )
  expect(isEqual(await compare({ table: 'public.translation', waitMs: 2_000 }))).toBe(true)
  expect(isEqual(await compare({ onProgress: () => void written() }))).toBe(true)
})

test('capture that a look finds down ends the wait at once, with cause and command; what was found before does not', async () => {
  const relation = await relationOf('public.item')
  await pipeline.source.pool.query(`
    update tidemark.table_contract set contract = contract || '{"generation": 2, "complete": false}'
    where relation = ${relation}`)
  const look = (checkedAt: string) =>
    pipeline.target.pool.query(`
      insert into tidemark.capture_health (state, cause, follows, command, since, checked_at)
      values ('down', 'the slot is gone', 'nothing arrives', 'npm run recover', now(), ${checkedAt})
      on conflict (only_row) do update set checked_at = excluded.checked_at`)

  await look(`now() - interval '1 second'`)
  await expect(compare({ waitMs: 2_000 })).rejects.toThrow('gave up waiting')
  const found = compare({ waitMs: 60_000, onProgress: () => void look('clock_timestamp()') })
  await expect(found).rejects.toThrow('capture is down: the slot is gone. To bring it back: npm run recover')
})

async function relationOf(table: string): Promise<number> {
  const { rows } = await pipeline.source.pool.query('select $1::regclass::oid::int8::int as relation', [table])
  return rows[0].relation
}

test('the console sees each table as it is compared, and the time before which everything is compared', async () => {
  pipeline.tamper = 'update held."public.item" set note = null where id = 300'
  const equality = makeConsoleEquality({
    source: pipeline.source.url,
    target: pipeline.targetUrl,
    now: () => new Date(),
  })

  await equality.start(null)
  await eventually(() => expect(equality.state()?.state).toBe('done'))

  expect(equality.state()?.asOf).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  expect(equality.state()?.tables).toMatchObject([
    {
      ...{ table: 'public.item', state: 'different', rows: 351 },
      differences: [{ key: 'id = 300', source: 'note = item 300', target: 'note = NULL' }],
    },
    { table: 'public.translation', state: 'equal', rows: 200, differences: [] },
  ])
})
