import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ChangeFilter, ShownChange } from '#core/console/changes.ts'
import { type KeptChange, keepChanges, keepContract, orders } from '#test-support/changes/history-rows.ts'
import { consolePool } from '#test-support/databases/console-pool.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { everything } from './change-conditions.ts'
import { makeChangeList, parseCursor, searchFor, wantedBy } from './change-list.ts'
import { formatBehind, parsePlace, usOfIso } from './change-place.ts'
import { behindOf } from './change-search.ts'
import { walkBack, windowStatement } from './change-windows.ts'
import { instantStatement } from './crowded-instant.ts'

let target: TestDatabase
let reader: pg.Pool
beforeEach(async () => {
  target = await createDatabase('target')
  reader = consolePool(target)
  await keepContract(target.pool)
})
afterEach(async () => {
  await reader.end()
  await target.drop()
})

const patient = { now: () => 0, budgetMs: 1 }
const changes = () => makeChangeList(reader, patient)

async function listAll(filter: ChangeFilter = {}, limit = 100): Promise<ShownChange[]> {
  const listed: ShownChange[] = []
  for (let next: string | null = ''; next !== null; ) {
    const page = await changes().list(filter, next === '' ? undefined : parseCursor(next)!, limit)
    listed.push(...page!.items)
    next = page!.next
  }
  return listed
}

const life: KeptChange[] = [
  { op: 'c', key: ['7'], after: ['7', 'new', '1.00'] },
  { op: 'u', key: ['7'], after: ['7', 'paid', '1.00'] },
  { op: 'd', key: ['7'] },
  { op: 'c', key: ['8'], after: ['8', null, null] },
]

const say = (txid: number, who: string, at = '2026-11-21 12:00:01+00') =>
  target.pool.query(
    `insert into tidemark.audit_message (epoch, txid, lsn, committed_at, who, why) values (1, $1, $1, $3, $2, 'because')`,
    [txid, who, at],
  )

describe('a list of changes', () => {
  test('is newest first, with the rows before and after and what an update has changed', async () => {
    await keepChanges(target.pool, ...life)

    const [created, deleted, updated, inserted] = await listAll()

    expect(created).toMatchObject({ op: 'insert', table: 'public.orders', columnCount: 3, changedCount: 0 })
    expect(created!.key).toEqual([{ name: 'id', cell: { kind: 'text', text: '8' } }])
    expect(created!.columns).toEqual([
      { name: 'id', type: 'bigint', after: { kind: 'text', text: '8' }, isChanged: false },
      { name: 'status', type: 'text', after: { kind: 'null' }, isChanged: false },
      { name: 'amount', type: 'numeric(12,2)', after: { kind: 'null' }, isChanged: false },
    ])
    expect(deleted!.columns.map(({ before }) => before)).toEqual([
      { kind: 'text', text: '7' },
      { kind: 'text', text: 'paid' },
      { kind: 'text', text: '1.00' },
    ])
    expect(updated).toMatchObject({
      changedCount: 1,
      committedAt: '2026-11-21T12:00:01.000000Z',
      transaction: '701',
      lsn: '0/65',
      epoch: 1,
      columns: [
        {
          name: 'status',
          before: { kind: 'text', text: 'new' },
          after: { kind: 'text', text: 'paid' },
          isChanged: true,
        },
      ],
    })
    expect(inserted!.op).toBe('insert')
  })

  test('has what each filter names: table, key, operation, times, transaction, and who', async () => {
    await keepContract(target.pool, { relation: 2, table: 'log' })
    await keepChanges(target.pool, ...life, { op: 'c', relation: 2, key: ['7'], after: ['7', 'x', null], lsn: 900 })
    await say(701, 'Alice_%')

    const ops = async (filter: ChangeFilter) => (await listAll(filter)).map(({ op, table }) => `${op} ${table}`)
    expect(await ops({ table: 'public.log' })).toEqual(['insert public.log'])
    expect(await ops({ table: 'public.orders', key: '{"id":"7"}' })).toEqual([
      'delete public.orders',
      'update public.orders',
      'insert public.orders',
    ])
    expect(await ops({ op: 'delete' })).toEqual(['delete public.orders'])
    expect(await ops({ since: '2026-11-21T12:00:01Z', until: '2026-11-21T12:00:02Z' })).toEqual([
      'update public.orders',
    ])
    expect(await ops({ transaction: '702' })).toEqual(['delete public.orders'])
    expect(await ops({ who: 'alice_%' })).toEqual(['update public.orders'])
    expect(await ops({ who: 'BECAUSE', op: 'update' })).toEqual(['update public.orders'])
    expect(await ops({ who: 'alice__' })).toEqual([])
    expect(await changes().list({ table: 'public.nothing' }, undefined, 10)).toBeUndefined()
    await expect(changes().list({ table: 'public.orders', key: '{"no":1}' }, undefined, 10)).rejects.toThrow(
      'the key of public.orders is (id), not (no)',
    )
  })

  test.each([3, 40])('in pages of %i has every change once, also those of one instant', async (limit) => {
    const many = Array.from({ length: 60 }, (_, i): KeptChange => {
      const at = i < 20 ? '2026-11-21 12:00:00+00' : `2026-11-${10 + (i % 12)} 0${i % 9}:00:00.${i}+00`
      return { op: 'c', key: [`${i}`], after: [`${i}`, null, null], at, lsn: 100 + (i % 5), ordinal: i % 3 }
    })
    await keepChanges(target.pool, ...many)

    const listed = await listAll({}, limit)

    expect(listed.map(({ key }) => key![0]!.cell)).toHaveLength(60)
    expect(new Set(listed.map(({ id }) => id)).size).toBe(60)
    expect(listed.map(({ committedAt }) => committedAt)).toEqual(
      listed
        .map(({ committedAt }) => committedAt)
        .toSorted()
        .toReversed(),
    )
  })

  test('is complete and has nothing twice while changes are applied', async () => {
    const change = (i: number): KeptChange => ({
      op: 'c',
      key: [`${i}`],
      after: [`${i}`, null, null],
      lsn: 1_000 + i,
      at: `2026-11-21 ${String(i % 24).padStart(2, '0')}:00:00+00`,
    })
    await keepChanges(target.pool, ...Array.from({ length: 40 }, (_, i) => change(i)))
    const ids = new Set((await listAll()).map(({ id }) => id))

    const met: string[] = []
    for (let next: string | null = '', more = 40; next !== null; more++) {
      const page = await changes().list({}, next === '' ? undefined : parseCursor(next)!, 7)
      met.push(...page!.items.map(({ id }) => id))
      await keepChanges(target.pool, change(more))
      next = page!.next
    }

    expect(new Set(met).size).toBe(met.length)
    expect([...ids].filter((id) => !met.includes(id))).toEqual([])
  })

  test('of a rare filter ends when its time is over, and goes on from there', async () => {
    await keepChanges(target.pool, { op: 't', at: '2026-09-01 00:00Z' }, ...life)
    let clock = 0
    const hasty = makeChangeList(reader, { now: () => clock++, budgetMs: 1 })

    const first = await hasty.list({ op: 'truncate' }, undefined, 10)
    expect(first).toMatchObject({ items: [], searchedUntil: expect.stringMatching(/^2026-11-2.T.*Z$/) })
    let page = first!
    let rounds = 0
    for (; page.items.length === 0; rounds++)
      page = (await hasty.list({ op: 'truncate' }, parseCursor(page.next!), 10))!

    expect(page.items).toMatchObject([{ op: 'truncate', key: null, columns: [] }])
    expect(rounds).toBeGreaterThan(1)
  })

  test('reads a window with very many changes in shorter ones, and finds the same', async () => {
    await keepChanges(target.pool, ...life)
    const search = await searchFor(reader, everything, {}, undefined, 10)

    const usual = await walkBack(reader, search, patient)
    const dense = await walkBack(reader, { ...search, mostMet: 3 }, patient)

    expect(usual.places).toHaveLength(4)
    expect(dense).toEqual(usual)
  })

  test.each([1, 4, 30])('of crowded instants has every change once in pages of %i', async (limit) => {
    const at = (i: number) => `2026-11-21 12:00:0${i % 3}+00`
    await keepContract(target.pool, { relation: 2, table: 'log' })
    await keepChanges(
      target.pool,
      ...Array.from({ length: 45 }, (_, i): KeptChange => {
        const [key, relation] = [[`${i % 7}`], 1 + (i % 2)]
        return {
          op: i % 5 === 0 ? 'd' : 'r',
          key,
          relation,
          at: at(i),
          ordinal: i % 4,
          lsn: 100 + i,
          epoch: 1 + (i % 2),
        }
      }),
    )
    const first = await searchFor(reader, everything, {}, undefined, limit)
    const places: string[] = []
    // The first instant is met before it is crowded, as while a snapshot is applied.
    for (let search = first, page = 0; page < 60; page++) {
      const found = await walkBack(reader, { ...search, mostMet: page === 0 ? 100 : 6 }, patient)
      places.push(...found.places)
      const next = found.places.length < limit ? found.searched : behindOf(found.places.at(-1)!, found, search)
      if (next === null) break
      const cursor = 'spanUs' in next ? next : parseCursor(formatBehind(next))!
      search = await searchFor(reader, everything, {}, cursor, limit)
    }

    expect(new Set(places).size).toBe(places.length)
    expect(places).toHaveLength(45)
    const times = places.map((place) => parsePlace(place)!.atUs)
    expect(times).toEqual(times.toSorted((a, b) => b - a))
  })

  test('of an instant with very many changes looks at few of them', async () => {
    await target.pool.query(`
      select tidemark.ensure_change_days('2026-11-20', '2026-11-21');
      insert into tidemark_rows.change (committed_at, relation, key_hash, ordinal, lsn, epoch, version, op, key, after)
      select '2026-11-21 12:00Z', 1, tidemark.key_hash(1, array[n::text]), n, 5, 1, 1, 'r', array[n::text], array[n::text, 'x', null]
      from generate_series(1, 220000) n`)
    await keepChanges(target.pool, ...life)

    const first = (await changes().list({}, undefined, 50))!
    const second = (await changes().list({}, parseCursor(first.next!), 50))!
    const rare = (await changes().list({ op: 'truncate' }, undefined, 50))!

    expect(first.items).toHaveLength(50)
    expect(first.next).toMatch(/^i/)
    expect(new Set([...first.items, ...second.items].map(({ id }) => id)).size).toBe(100)
    expect(rare.items).toEqual([])
    const search = { ...(await searchFor(reader, everything, {}, undefined, 50)), before: undefined }
    const atUs = usOfIso('2026-11-21T12:00:00Z')!
    const { text, values } = instantStatement(
      search,
      { fromUs: atUs, untilUs: atUs + 1 },
      { after: parsePlace(first.items.at(-1)!.id), limit: 50, most: 2_000 },
    )
    const { rows } = await reader.query(`explain (analyze, timing off) ${text}`, values)
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan).toMatch(/Index Scan Backward using change_20261121_key_hash/)
    expect(plan).not.toMatch(/actual rows=\d{5,}/)
  })
})

describe('the plan', () => {
  async function planOf(key?: string): Promise<string> {
    await target.pool.query(`
      select tidemark.ensure_change_days('2026-10-20', '2026-11-21');
      insert into tidemark_rows.change (committed_at, relation, key_hash, ordinal, lsn, epoch, version, op, key, after)
      select '2026-10-20Z'::timestamptz + n * interval '60 seconds', 1, tidemark.key_hash(1, array[n::text]), n, n, 1, 1,
        'c', array[n::text], array[n::text, 'x', null]
      from generate_series(1, 46000) n;
      analyze tidemark_rows.change`)
    const wanted = await wantedBy(reader, { table: 'public.orders', ...(key !== undefined && { key }) })
    const search = await searchFor(reader, wanted!, {}, undefined, 50)
    const untilUs = usOfIso('2026-11-19T12:00:00Z')!
    const { text, values } = windowStatement(search, { fromUs: untilUs - 3_600_000_000, untilUs }, 50)
    const { rows } = await reader.query(`explain ${text}`, values)
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  }

  test('of a window reads only its day', async () => {
    const plan = await planOf()

    expect(plan).toContain('change_20261119')
    expect(plan).not.toContain('change_20261118')
    expect(plan).not.toContain('change_20261120')
  })

  test('of a key uses the index of rows', async () => {
    const plan = await planOf('{"id":7}')

    expect(plan).toMatch(/Index.*Scan.*change_20261119_key_hash/)
    expect(plan).not.toContain('Seq Scan')
  })
})

describe('one change', () => {
  test('has all columns, those that did not change as well', async () => {
    await keepChanges(target.pool, ...life)
    const [, , updated] = await listAll()

    const one = await changes().one(parsePlace(updated!.id)!, updated!.id)

    expect(one!.columns.map(({ name, isChanged }) => [name, isChanged])).toEqual([
      ['id', false],
      ['status', true],
      ['amount', false],
    ])
    expect(await changes().one(parsePlace(updated!.id)!, updated!.id.replace(/\.\d+\.u/, '.99.u'))).toBeUndefined()
  })

  test('whose row before is not known says so, and a delete still has its key', async () => {
    await keepChanges(
      target.pool,
      { op: 'u', key: ['7'], before: [], after: ['7', 'a', null] },
      { op: 'd', key: ['9'], before: [] },
    )

    const [deleted, updated] = await listAll()

    expect(deleted!.columns.map(({ before }) => before)).toEqual([
      { kind: 'text', text: '9' },
      { kind: 'unavailable' },
      { kind: 'unavailable' },
    ])
    expect(updated).toMatchObject({ changedCount: 0, columns: [{}, { before: { kind: 'unavailable' } }, {}] })
  })
})

describe('hostile content', () => {
  test('of names and values is shown as it is: markup, quotes, directions, control characters, escapes of NUL', async () => {
    const name = `<b>"o'\u202ek\u0001`
    const columns = [
      { number: 1, name: 'id', carried: 'bigint', key: 1 },
      { number: 2, name, carried: 'text' },
      { number: 3, name: 'j', carried: 'json' },
    ]
    await keepContract(target.pool, { relation: 2, schema: `sch"em'a`, table: '<script>', columns })
    const after = ['9223372036854775807', `\u202e<img src=x onerror=alert(1)>\u0007\\`, '{"a":"\\u0000"}']
    await keepChanges(target.pool, { op: 'c', relation: 2, key: [after[0]!], after })

    const [change] = await listAll({ table: `sch"em'a.<script>` })

    expect(change).toMatchObject({ table: `sch"em'a.<script>` })
    expect(change!.columns).toMatchObject([
      { name: 'id', after: { kind: 'text', text: '9223372036854775807' } },
      { name, after: { kind: 'text', text: after[1] } },
      { name: 'j', after: { kind: 'text', text: after[2] } },
    ])
  })

  test('of long values is cut in the database, by UTF-16 units and not through a character', async () => {
    const long = `${'a'.repeat(1_999)}😀${'é'.repeat(3_000_000)}`
    await keepChanges(
      target.pool,
      { op: 'c', key: ['7'], after: ['7', '', null] },
      { op: 'u', key: ['7'], after: ['7', long, null] },
    )

    const [updated] = await listAll()

    const cell = updated!.columns[0]!.after!
    expect(cell).toEqual({ kind: 'cut', text: 'a'.repeat(1_999), length: 3_002_001 })
    const one = await changes().one(parsePlace(updated!.id)!, updated!.id)
    expect(Buffer.byteLength(JSON.stringify(one))).toBeLessThan(5_000_000)
    expect(one!.columns[1]!.after).toMatchObject({ kind: 'cut', length: 3_002_001 })
  })

  test('of a thousand columns is a list of the changed ones', async () => {
    const columns = Array.from({ length: 1_000 }, (_, i) => ({
      number: i + 1,
      name: `column_${i}`,
      carried: i % 2 === 0 ? 'integer' : 'timestamp with time zone',
      ...(i === 0 && { key: 1 }),
    }))
    await keepContract(target.pool, { relation: 2, table: 'wide', columns })
    const row = columns.map((_, i): string => (i % 2 === 0 ? '1' : '2026-01-01 00:00:00Z'))
    await keepChanges(target.pool, { op: 'c', relation: 2, key: ['1'], after: row })
    await keepChanges(target.pool, {
      op: 'u',
      relation: 2,
      lsn: 500,
      key: ['1'],
      after: row.with(998, '2').with(999, '2026-01-01 00:00:00+00'),
    })

    const [updated, inserted] = await listAll({ table: 'public.wide' })

    expect(updated).toMatchObject({ columnCount: 1_000, changedCount: 1, columns: [{ name: 'column_998' }] })
    expect(inserted!.columns).toHaveLength(24)
    const one = await changes().one(parsePlace(inserted!.id)!, inserted!.id)
    expect(one!.columns).toHaveLength(1_000)
  })
})

describe('a transaction', () => {
  test('has its changes in their order, and what it says about itself', async () => {
    const at = '2026-11-21 12:00:01+00'
    await keepContract(target.pool, { relation: 2, table: 'log' })
    await keepChanges(target.pool, ...life)
    await keepChanges(
      target.pool,
      { op: 'c', relation: 2, key: ['1'], after: ['1', 'a', null], txid: 800, lsn: 300, at },
      { op: 'd', key: ['70'], txid: 800, lsn: 301, at, ordinal: 999 },
      { op: 'c', key: ['71'], after: ['71', 'a', null], txid: 800, lsn: 301, at, ordinal: 1 },
    )
    await say(800, 'bob')
    const asked = { epoch: 1, transaction: '800', at: '2026-11-21T12:00:01.000000Z' }

    const whole = await changes().transaction(asked, undefined, 10)
    const begin = await changes().transaction(asked, undefined, 2)
    const rest = await changes().transaction(asked, parsePlace(begin!.next!), 2)

    expect(whole).toMatchObject({ transaction: '800', who: 'bob', why: 'because', next: null })
    expect(whole!.changes.map(({ op, table }) => `${op} ${table}`)).toEqual([
      'insert public.log',
      'delete public.orders',
      'insert public.orders',
    ])
    expect([...begin!.changes, ...rest!.changes]).toEqual(whole!.changes)
    expect(await changes().transaction({ ...asked, transaction: '801' }, undefined, 2)).toBeUndefined()
  })
})

test('an export has all digits, and rows as JSON by the names of their columns', async () => {
  const columns = [...orders.slice(0, 2), { number: 3, name: 'amount', carried: 'numeric' }]
  await keepContract(target.pool, { relation: 2, table: 'big', columns })
  await keepChanges(
    target.pool,
    {
      op: 'c',
      relation: 2,
      key: ['9223372036854775807'],
      after: ['9223372036854775807', 'a', '1.5000000000000000001'],
    },
    {
      op: 'u',
      relation: 2,
      key: ['9223372036854775807'],
      after: ['9223372036854775807', 'b', '1.5000000000000000001'],
    },
  )

  const exported = await changes().exported({ table: 'public.big' }, undefined, 10)

  expect(exported!.next).toBeNull()
  expect(exported!.changes[0]).toMatchObject({
    op: 'update',
    key: '{"id": 9223372036854775807}',
    changed: '{"status": ["a", "b"]}',
  })
  expect(exported!.changes[1]!.after).toContain('"amount": 1.5000000000000000001')
})
