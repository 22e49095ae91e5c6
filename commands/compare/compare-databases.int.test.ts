import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/database.ts'
import { type CompareOptions, compareDatabases, isEqual } from './compare-databases.ts'

let source: TestDatabase
let target: TestDatabase
/** SQL after which the target shows something else than the source. */
let tamper: string
let stopPipeline: () => Promise<void>

beforeEach(async () => {
  tamper = ''
  ;[source, target] = await Promise.all([createDatabase('source'), createDatabase('target')])
  await source.pool.query(
    `select tidemark.configure(2, '{"schemas":["public"],"includeTables":[],"excludeTables":[],"excludeColumns":[]}')`,
  )
  await source.pool.query(`
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
    create table public.log (
      line text
    );
    insert into public.item select n, n * 1.10, 'item ' || n from generate_series(-50, 300) n;
    insert into public.translation select n, l, l || n from generate_series(1, 50) n, unnest('{de,en,fr-CH,Ägypt}'::text[]) l;
    update tidemark.captured_table set state = 'captured' where state = 'pending';
    insert into tidemark.table_contract (relation, version, slot, contract)
    select relation, 1, slot, tidemark.describe_table(relation::oid) || '{"version": 1}'
    from tidemark.captured_table, generate_series(0, 1) slot
    where state = 'captured'`)
  const written = await source.pool.query(`
    select contract
    from tidemark.table_contract
    where slot = 0
      and contract ->> 'refusal' is null`)
  for (const { contract } of written.rows)
    await target.pool.query('select tidemark.create_latest_state($1)', [contract])
  stopPipeline = startPipeline()
})

afterEach(async () => {
  await stopPipeline?.()
  await Promise.all([source?.drop(), target?.drop()])
})

/** The pipeline in small: when the target says that a beacon is applied, it shows all that was committed before. */
function startPipeline(): () => Promise<void> {
  const stop = new AbortController()
  const running = (async () => {
    for (let applied = 0; !stop.signal.aborted; await setTimeout(2)) {
      const seen = await readSource()
      if (seen.beacon > applied) await showInTarget(seen)
      applied = seen.beacon
    }
  })()
  return async () => {
    stop.abort()
    await running
  }
}

type Seen = { beacon: number; tables: { relation: string; rows: string }[] }

async function readSource(): Promise<Seen> {
  const { rows } = await source.pool.query(`
    select (select number::integer from tidemark.beacon where slot = 0) as beacon,
      (select coalesce(json_agg(t), '[]')::text from public.item t) as item, 'public.item'::regclass::oid as item_relation,
      (select coalesce(json_agg(t), '[]')::text from public.translation t) as translation, 'public.translation'::regclass::oid as translation_relation`)
  const { beacon, item, item_relation, translation, translation_relation } = rows[0]
  return {
    beacon,
    tables: [
      { relation: item_relation, rows: item },
      { relation: translation_relation, rows: translation },
    ],
  }
}

async function showInTarget({ beacon, tables }: Seen): Promise<void> {
  const client = await target.pool.connect()
  try {
    await client.query('begin')
    for (const { relation, rows } of tables) {
      const into = `tidemark_rows.t${relation}`
      await client.query(`delete from ${into}`)
      await client.query(
        `insert into ${into}
        select row.*
        from json_array_elements($1::json) as item (json),
          json_populate_record('(1,1,t,1,,,)'::${into}, item.json) as row`,
        [rows],
      )
    }
    await client.query(tamper)
    await client.query(
      `insert into tidemark.progress (consumer, topic, topic_partition, beacon_number)
      select 'tidemark-latest-state', 'changes', topic_partition, $1
      from generate_series(0, 1) as topic_partition
      on conflict (consumer, topic, topic_partition) do update
      set beacon_number = excluded.beacon_number`,
      [beacon],
    )
    await client.query('commit')
  } finally {
    client.release()
  }
}

const compare = (options: Partial<CompareOptions> = {}) =>
  compareDatabases({
    source: source.url,
    target: `${target.url}?options=-c%20role%3Dtidemark_read`,
    waitMs: 20_000,
    ...options,
  })

test('equal databases are equal, every row counted, and what is not captured is told with what changes it', async () => {
  const comparison = await compare()

  expect(comparison.tables.map(({ examples, columns, keyColumns, ...counts }) => counts)).toEqual([
    { table: 'public.item', sourceRows: 351, targetRows: 351, differing: 0, changing: 0 },
    { table: 'public.translation', sourceRows: 200, targetRows: 200, differing: 0, changing: 0 },
  ])
  expect(comparison.uncaptured).toEqual([
    {
      name: 'public.log',
      why: 'it has no primary key',
      fix: expect.stringContaining('alter table public.log add'),
    },
  ])
  expect(isEqual(comparison)).toBe(true)
})

test('a changed value, a missing row and a row too many are shown side by side', async () => {
  const [item, translation] = await rowsTables()
  tamper = `
    update ${item} set price = 1.1000 where id = 1;
    update ${item} set note = null where id = 300;
    delete from ${item} where id = -7;
    insert into ${item} values (1, 1, true, 1, 301, null, 'too many');
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
  const [item] = await rowsTables()
  tamper = `delete from ${item}`

  const comparison = await compare({ table: 'public.item' })

  expect(comparison.tables).toMatchObject([{ table: 'public.item', sourceRows: 351, targetRows: 0, differing: 351 }])
  expect(comparison.tables[0]?.examples.map(({ key }) => key[0])).toEqual(['-50', '-49', '-48', '-47', '-46'])
})

test('rows that change meanwhile are not taken for rows that differ', async () => {
  const stop = new AbortController()
  let changes = 0
  const writing = (async () => {
    for (; !stop.signal.aborted; changes++) {
      await source.pool.query(`
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

test('a row that never rests is told apart from one that differs', async () => {
  const [item] = await rowsTables()
  tamper = `update ${item} set price = 0 where id = 5`
  // The source changes it between any two looks, since there is a beacon between them.
  await source.pool.query(`
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
  await target.pool.query(`
    insert into tidemark.stopped_table (relation, schema_name, table_name, reason)
    select relation, schema_name, table_name, 'column price was added'
    from tidemark.table_marker
    where table_name = 'item'`)

  const comparison = await compare()

  expect(comparison.stopped).toEqual([
    { relation: expect.any(String), name: 'public.item', reason: 'column price was added' },
  ])
  expect(comparison.tables.map(({ table }) => table)).toEqual(['public.translation'])
  expect(isEqual(comparison)).toBe(false)
})

test('a captured table that the target does not have is not equal, even without rows', async () => {
  const { rows } = await source.pool.query('delete from public.item returning tableoid')
  tamper = `select tidemark.drop_latest_state(${rows[0].tableoid})`

  const comparison = await compare({ table: 'public.item' })

  expect(comparison.tables).toMatchObject([{ sourceRows: 0, targetRows: null, differing: 0 }])
  expect(isEqual(comparison)).toBe(false)
})

test('what lags is told when it does not get there in time', async () => {
  await stopPipeline()
  await target.pool.query(`delete from tidemark.progress where topic_partition = 1`)
  await target.pool.query(`
    insert into tidemark.stop (consumer, topic, topic_partition, at_offset, reason)
    values ('tidemark-latest-state', 'changes', 0, 7, 'records 7 to 9 are missing')`)
  const waits: string[] = []

  await expect(compare({ waitMs: 100, onProgress: (what) => waits.push(what) })).rejects.toThrow(
    /^gave up waiting for beacon \d+ in .*topic partition 1 \(nothing applied yet\)/,
  )
  expect(waits).toHaveLength(1)
})

test('a table that is still being read is waited for', async () => {
  await source.pool.query(`update tidemark.captured_table set state = 'reading' where table_name = 'item'`)
  const waits: string[] = []

  const comparison = await compare({
    onProgress: (what) => {
      waits.push(what)
      void source.pool.query(`update tidemark.captured_table set state = 'captured' where table_name = 'item'`)
    },
  })

  expect(waits[0]).toBe('waiting for public.item, which is being captured: its rows are being read')
  expect(isEqual(comparison)).toBe(true)
})

test('a table that does not exist is an error that names it', async () => {
  await expect(compare({ table: 'public.items' })).rejects.toThrow(
    'public.items is not a table of the captured schemas',
  )
})

test('a database that does not answer is an error that says which and where', async () => {
  const nowhere = 'postgres://postgres@127.0.0.1:1/shop'

  await expect(compare({ target: nowhere })).rejects.toThrow(
    'the target shop at 127.0.0.1:1 is not reachable: connect ECONNREFUSED 127.0.0.1:1',
  )
})

async function rowsTables(): Promise<[item: string, translation: string]> {
  const { rows } = await target.pool.query('select relation from tidemark.table_marker order by table_name')
  return [`tidemark_rows.t${rows[0].relation}`, `tidemark_rows.t${rows[1].relation}`]
}
