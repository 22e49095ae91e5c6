import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type KeptChange, keepChanges, keepContract, orders } from '#test-support/changes/history-rows.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'

let target: TestDatabase
beforeEach(async () => {
  target = await createDatabase('target')
  await keepContract(target.pool)
})
afterEach(() => target.drop())

const ask = async (statement: string, ...values: unknown[]) => (await target.pool.query(statement, values)).rows
const history = (table: string, key: object | null = null, limit = 100) =>
  ask('select * from tidemark.history($1, $2, $3)', table, key === null ? null : JSON.stringify(key), limit)
const say = (txid: number, lsn: number, message: object) =>
  ask(
    `insert into tidemark.audit_message (epoch, txid, lsn, committed_at, who, application, why, details)
     select 1, $1, $2, '2026-11-21 12:00:00+00', m.who, m.application, m.why, m.details
     from jsonb_to_record($3::jsonb) as m (who text, application text, why text, details jsonb)`,
    txid,
    lsn,
    JSON.stringify(message),
  )

const life: [KeptChange, KeptChange, KeptChange, KeptChange] = [
  { op: 'c', key: ['7'], after: ['7', 'new', '1.00'] },
  { op: 'u', key: ['7'], before: ['7', 'new', '1.00'], after: ['7', 'paid', '1.00'] },
  { op: 'd', key: ['7'], before: ['7', 'paid', '1.00'] },
  { op: 'c', key: ['7'], after: ['7', null, null] },
]

describe('a row', () => {
  test('has its insert, update, delete and re-insert, newest first', async () => {
    await keepChanges(target.pool, ...life)
    await keepChanges(target.pool, { op: 'c', key: ['8'], after: ['8', '', null] })

    const changes = await history('public.orders', { id: 7 })

    expect(changes.map(({ op, before, after, changed }) => ({ op, before, after, changed }))).toEqual([
      { op: 'insert', before: null, after: { id: 7, status: null, amount: null }, changed: null },
      { op: 'delete', before: { id: 7, status: 'paid', amount: 1 }, after: null, changed: null },
      {
        op: 'update',
        before: { id: 7, status: 'new', amount: 1 },
        after: { id: 7, status: 'paid', amount: 1 },
        changed: { status: ['new', 'paid'] },
      },
      { op: 'insert', before: null, after: { id: 7, status: 'new', amount: 1 }, changed: null },
    ])
    expect(changes[0]).toMatchObject({
      schema_name: 'public',
      table_name: 'orders',
      key: { id: 7 },
      transaction_id: '703',
      lsn: '0/67',
      epoch: 1,
      committed_at: new Date('2026-11-21T12:00:03Z'),
    })
  })

  test('that was truncated away has the truncate, and one that was changed twice at one lsn has both changes', async () => {
    await keepChanges(
      target.pool,
      { op: 'c', key: ['7'], after: ['7', '', null] },
      { op: 't', lsn: 101 },
      { op: 'd', key: ['7'], lsn: 105, at: '2026-11-21 13:00Z' },
      { op: 'c', key: ['7'], after: ['7', 'again', null], lsn: 105, at: '2026-11-21 13:00Z' },
    )

    expect((await history('public.orders', { id: 7 })).map(({ op }) => op)).toEqual([
      'insert',
      'delete',
      'truncate',
      'insert',
    ])
  })

  test('is found among many through the index of each day, not by reading the days', async () => {
    await keepChanges(target.pool, ...life, { op: 'r', key: ['7'], after: ['7', '', null], at: '2026-11-20 12:00Z' })
    await ask(`insert into tidemark_rows.change (committed_at, relation, key_hash, lsn, epoch, ordinal, version, op, key, after)
      select day + interval '1 hour', 1, tidemark.key_hash(1, array[n::text]), n, 1, n, 1, 'r', array[n::text], array[n::text]
      from generate_series(1000, 3000) n, unnest('{2026-11-20Z, 2026-11-21Z}'::timestamptz[]) day`)
    await ask('analyze tidemark_rows.change')

    const client = await target.pool.connect()
    // Counters of the session that are not written yet count too: what matters is what is added.
    const scans = async () =>
      (
        await client.query(`select sum(seq_scan)::int as read, sum(idx_scan)::int as searched
          from pg_stat_xact_user_tables where relname like 'change_%'`)
      ).rows[0]
    try {
      await client.query('begin')
      const before = await scans()
      const { rowCount } = await client.query(`select * from tidemark.history('public.orders', '{"id": 7}')`)
      const after = await scans()

      expect(rowCount).toBe(5)
      expect(after.searched).toBeGreaterThan(before.searched)
      expect(after.read).toBe(before.read)
    } finally {
      client.release(true)
    }
  })
})

describe('a key', () => {
  test.each([[{ id: 7 }], [{ id: '7' }], [{ id: ' 7' }]])('given as %j is found', async (key) => {
    await keepChanges(target.pool, ...life)

    expect(await history('public.orders', key)).toHaveLength(4)
  })

  test('of several columns and types is found in any order and form', async () => {
    const columns = [
      { number: 1, name: 'at', carried: 'timestamp with time zone', key: 2 },
      { number: 2, name: 'Code', carried: 'numeric', key: 1 },
      { number: 3, name: 'tags', carried: 'text[]', key: 3 },
      { number: 4, name: 'raw', carried: 'bytea', key: 4 },
    ]
    await keepContract(target.pool, { relation: 2, table: 'Odd "one"', columns })
    const key = ['1.5', '2026-01-01 10:00:00+00', '{a,"b c"}', '\\x00ff']
    await keepChanges(target.pool, { op: 'r', relation: 2, key, after: [key[1]!, key[0]!, key[2]!, key[3]!] })

    const given = { tags: ['a', 'b c'], at: '2026-01-01T12:00:00+02:00', Code: '1.500', raw: '\\x00FF' }
    const [found] = await history('public.Odd "one"', given)
    expect(found.after).toEqual({ at: '2026-01-01 10:00:00+00', Code: 1.5, tags: ['a', 'b c'], raw: '\\x00ff' })
    expect(await history('public."Odd ""one"""', { ...given, tags: '{a,b c}', Code: 1.5 })).toHaveLength(1)
  })

  test('of type jsonb is found by every JSON value, also by null and by texts', async () => {
    const columns = [
      { number: 1, name: 'doc', carried: 'jsonb', key: 1 },
      { number: 2, name: 'n', carried: 'integer', key: 2 },
    ]
    await keepContract(target.pool, { relation: 2, table: 'docs', columns })
    const values = [null, 'null', 1.5, true, [null], { a: null }]
    for (const [i, value] of values.entries()) {
      const key = [JSON.stringify(value).replaceAll(/[,:]/g, '$& '), '1']
      await keepChanges(target.pool, { op: 'c', relation: 2, lsn: 100 + i, key, after: key })
    }

    for (const doc of values) {
      expect((await history('public.docs', { doc, n: 1 })).map(({ key }) => key)).toEqual([{ doc, n: 1 }])
    }
  })

  test('that is none names the columns of the key', async () => {
    await expect(history('public.orders', { number: 7 })).rejects.toThrow(
      'the key of public.orders is (id), not (number)',
    )
    await expect(history('public.orders', { id: 7, status: 'new' })).rejects.toThrow('the key of public.orders is (id)')
    await expect(history('public.orders', { id: 'seven' })).rejects.toThrow('"seven"')
    await expect(history('public.order', { id: 7 })).rejects.toThrow('no captured table is or was called public.order')
  })
})

describe('a table', () => {
  test('is found by its former name and its columns by theirs; each change has the names of its time', async () => {
    const columns = orders.map((column) => (column.number === 1 ? { ...column, name: 'order_id' } : column))
    await keepContract(target.pool, { version: 2, table: 'purchases', columns })
    await keepChanges(target.pool, life[0])
    await keepChanges(target.pool, { ...life[1], version: 2, lsn: 200, at: '2026-11-21 14:00Z' })

    const changes = await history('public.orders', { id: 7 })

    expect(changes.map(({ table_name, key }) => [table_name, key])).toEqual([
      ['purchases', { order_id: 7 }],
      ['orders', { id: 7 }],
    ])
    expect(await history('public.purchases', { order_id: 7 })).toEqual(changes)
  })

  test('whose name another one took over is no longer found by it', async () => {
    await keepContract(target.pool, { version: 2, table: 'old_orders' })
    await keepContract(target.pool, { relation: 2 })
    await keepChanges(target.pool, life[0], { op: 'c', relation: 2, key: ['7'], after: ['7', 'other', null] })

    expect((await history('public.orders', { id: 7 })).map(({ after }) => after.status)).toEqual(['other'])
    expect(await history('public.old_orders', { id: 7 })).toHaveLength(1)
  })

  test('shows its last changes where no key is given, however long ago they were', async () => {
    await keepChanges(target.pool, ...life, { op: 't', at: '2025-01-01 00:00Z' })

    expect((await history('public.orders', null, 2)).map(({ op }) => op)).toEqual(['insert', 'delete'])
    expect(await history('public.orders')).toHaveLength(5)
  })

  test('without a primary key is asked for the rows that have some values', async () => {
    const columns = orders.map(({ key: _, ...column }) => column)
    await keepContract(target.pool, { relation: 3, table: 'log', columns })
    const row = (lsn: number, before: (string | null)[] | undefined, after: (string | null)[] | undefined) =>
      ({ op: before ? (after ? 'u' : 'd') : 'c', relation: 3, lsn, ordinal: lsn, before, after }) as never
    await keepChanges(
      target.pool,
      row(1, undefined, ['1', 'a', null]),
      row(2, undefined, ['1', 'a', null]),
      row(3, ['1', 'a', null], ['1', 'b', null]),
      row(4, undefined, ['2', 'b', '1.00']),
    )

    expect(await history('public.log', { id: 1, status: 'a' })).toHaveLength(3)
    expect(await history('public.log', { amount: null })).toHaveLength(3)
    await expect(history('public.log', { colour: 'red' })).rejects.toThrow('(no key), not (colour)')
  })

  test('without a primary key is asked for values that Postgres holds equal, however they are written', async () => {
    const types = [
      'numeric',
      'numeric(12,2)',
      'real',
      'jsonb',
      'interval',
      'timestamp with time zone',
      'numrange',
      'text',
      'citext',
    ]
    const columns = types.map((carried, i) => ({ number: i + 1, name: `c${i + 1}`, carried }))
    await ask('create extension citext')
    await keepContract(target.pool, { relation: 3, table: 'log', columns })
    const after = [
      '1.50',
      '7.00',
      '-0',
      '{"a": 1.0}',
      '1 mon 30 days',
      '2026-01-01 10:00:00+00',
      '[1.0,2)',
      '1.0',
      'Ann',
    ]
    await keepChanges(target.pool, { op: 'c', relation: 3, key: null, after })

    const same = [1.5, '7', 0, { a: 1 }, '2 mons', '2026-01-01T12:00:00+02:00', '[1,2.0)', '1.0', 'ANN']
    const key = Object.fromEntries(same.map((value, i) => [`c${i + 1}`, value]))
    for (const [name, value] of Object.entries(key)) {
      expect(await history('public.log', { [name]: value }), name).toHaveLength(1)
    }
    expect(await history('public.log', key)).toHaveLength(1)
    expect(await history('public.log', { c1: 1.51 })).toEqual([])
  })

  test('without a primary key is asked for null: there it is no value, and of jsonb also the JSON null', async () => {
    const columns = [
      { number: 1, name: 'doc', carried: 'jsonb' },
      { number: 2, name: 'note', carried: 'text' },
    ]
    await keepContract(target.pool, { relation: 3, table: 'log', columns })
    const row = (lsn: number, ...after: (string | null)[]) => ({ op: 'c', relation: 3, lsn, key: null, after }) as const
    await keepChanges(target.pool, row(1, null, 'a'), row(2, 'null', 'b'), row(3, '"null"', 'null'), row(4, '1', null))

    const notes = async (key: object) => (await history('public.log', key)).map(({ after }) => after.note)
    expect(await notes({ doc: null })).toEqual(['b', 'a'])
    expect(await notes({ note: null })).toEqual([null])
    expect(await notes({ note: 'null' })).toEqual(['null'])
    expect(await notes({ doc: 'null' })).toEqual(['null'])
  })
})

describe('changed columns', () => {
  test('are old and new values, by type: null, JSON, arrays, numbers beyond doubles, text', async () => {
    const types = {
      n: 'numeric',
      j: 'jsonb',
      t: 'json',
      a: 'integer[]',
      x: 'text[]',
      b: 'boolean',
      same: 'text',
      f: 'real',
    }
    const names = Object.keys(types)
    const before = ['1', '{"a": [1]}', '{"a":"\\u0000"}', '{{1,2},{3,NULL}}', null, 't', 'same', 'NaN']
    const after = ['12345678901234567890.10', null, '[]', '{}', '{"a,b",NULL}', 'f', 'same', '1e-05']

    const [{ changed }] = await ask(
      'select tidemark.changed_columns($1, $2, $3, $4)::text as changed',
      names,
      Object.values(types),
      before,
      after,
    )

    expect(changed).toContain('"n": [1, 12345678901234567890.10]')
    expect(JSON.parse(changed)).toEqual({
      n: [1, expect.any(Number)],
      j: [{ a: [1] }, null],
      t: ['{"a":"\\u0000"}', '[]'],
      a: [
        [
          [1, 2],
          [3, null],
        ],
        [],
      ],
      x: [null, ['a,b', null]],
      b: [true, false],
      f: ['NaN', 0.00001],
    })
  })

  test('are unknown where a row is unknown', async () => {
    expect(await ask(`select tidemark.changed_columns('{a}', '{text}', null, '{x}') as changed`)).toEqual([
      { changed: null },
    ])
  })
})

describe('who and why', () => {
  test('are those of the transaction, also of two users on one pooled connection', async () => {
    await keepChanges(target.pool, ...life)
    await say(700, 90, { who: 'alice', application: 'shop' })
    await say(701, 95, { who: 'bob', application: 'shop', why: 'paid by card', details: { ticket: 5 } })

    const rows = await ask(
      'select transaction_id, who, application, why, details from tidemark.change_log order by transaction_id',
    )
    expect(rows.slice(0, 3)).toEqual([
      { transaction_id: '700', who: 'alice', application: 'shop', why: null, details: null },
      { transaction_id: '701', who: 'bob', application: 'shop', why: 'paid by card', details: { ticket: 5 } },
      { transaction_id: '702', who: null, application: null, why: null, details: null },
    ])
  })

  test('are the last ones said where a transaction said several, and not those of a number used again', async () => {
    await keepChanges(target.pool, life[0], { ...life[1], txid: 700, at: '2026-12-21 12:00Z' })
    await say(700, 90, { who: 'pool', why: 'nightly run' })
    await say(700, 91, { who: 'alice' })

    const rows = await ask('select who, why from tidemark.change_log order by committed_at')
    expect(rows).toEqual([
      { who: 'alice', why: 'nightly run' },
      { who: null, why: null },
    ])
  })
})

test('a reader may read history and change nothing', async () => {
  await keepChanges(target.pool, ...life)
  const client = await target.pool.connect()
  const tryTo = (statement: string) => client.query(statement).then((result) => result.rowCount)
  try {
    await client.query('set role tidemark_read')
    expect(await tryTo('select * from tidemark.change_log')).toBe(4)
    expect(await tryTo(`select * from tidemark.history('public.orders', '{"id": 7}')`)).toBe(4)
    expect(await tryTo(`select * from tidemark.history('public.orders')`)).toBe(4)
    for (const statement of [
      'select * from tidemark_rows.change',
      'delete from tidemark.audit_message',
      `select tidemark.set_history('*', false)`,
      'select tidemark.maintain()',
    ])
      await expect(tryTo(statement)).rejects.toThrow('permission denied')
  } finally {
    client.release(true)
  }
})
