import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import type { RowLife } from '#core/console/changes.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { consolePool } from '#test-support/databases/console-pool.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeRowLife, parseLifeCursor } from './row-life.ts'

let target: TestDatabase
let reader: pg.Pool
beforeEach(async () => {
  target = await createDatabase('target')
  reader = consolePool(target)
})
afterEach(async () => {
  await reader.end()
  await target.drop()
})

const applyChanges = (log: ChangeLog) =>
  makeLatestState(target.pool).apply(
    { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 },
    log.records,
  )
const life = (key: object, cursor?: string, limit = 100, table = 'public.orders'): Promise<RowLife> =>
  makeRowLife(reader, { now: () => 0, budgetMs: 1 }, 'archive')(
    table,
    JSON.stringify(key),
    cursor === undefined ? undefined : parseLifeCursor(cursor),
    limit,
  )
const shownOf = ({ changes }: RowLife) =>
  changes.map(({ op, key }) => `${op} ${key === null ? '-' : (key[0]!.cell as { text: string }).text}`)

/** A row that is 1, then 2, then 3; another row is 1 afterwards. */
function movedRow(): ChangeLog {
  const row = (id: number, name: string) => ({ id, name, amount: '1.00' })
  const at = (n: number) => ({ lsn: 10 * n, txId: n, committedAtMs: 1_700_000_000_000 + n * 60_000 })
  return new ChangeLog()
    .contract(ordersContract({ replicaIdentity: 'full' }))
    .create(row(1, 'first'), at(1))
    .update(row(1, 'second'), at(2))
    .change('u', row(1, 'second'), row(2, 'second'), at(3))
    .update(row(2, 'third'), at(4))
    .delete(row(2, 'third'), { ...at(5), headers: { newKey: '{"id":3}' } })
    .create(row(3, 'third'), { ...at(5), headers: { oldKey: '{"id":2}' } })
    .update(row(3, 'fourth'), at(6))
    .create(row(1, 'another'), at(7))
    .beacon(1, { lsn: '0/1000' })
}

const whole = ['update 3', 'insert 3', 'delete 2', 'update 2', 'insert 2', 'delete 1', 'update 1', 'insert 1']

test('the life of a row goes on across changes of its key, and has no changes of another row with a former key', async () => {
  await applyChanges(movedRow())

  const lived = await life({ id: 3 })

  expect(shownOf(lived)).toEqual(whole)
  expect(lived.keys.map(([column]) => column!.cell)).toEqual([
    { kind: 'text', text: '3' },
    { kind: 'text', text: '2' },
    { kind: 'text', text: '1' },
  ])
  expect(lived.now).toEqual([
    { name: 'id', cell: { kind: 'text', text: '3' } },
    { name: 'name', cell: { kind: 'text', text: 'fourth' } },
    { name: 'amount', cell: { kind: 'text', text: '1.00' } },
  ])
  expect(lived.retention).toBe('30 days')
  expect(lived.archiveSql).toContain(`key = '{"key":{"id":3,"_table":"public.orders"}}'`)
})

test('a former key shows the life that the row has now, unless another row has the key', async () => {
  await applyChanges(movedRow())

  expect(shownOf(await life({ id: 2 }))).toEqual(whole)
  expect(shownOf(await life({ id: 1 }))).toEqual(['insert 1', 'delete 1', 'update 1', 'insert 1'])
})

test.each([1, 2, 3])('a life in parts of %i changes is the same', async (limit) => {
  await applyChanges(movedRow())

  const parts: string[] = []
  for (let next: string | null | undefined; next !== null; ) {
    const part = await life({ id: 3 }, next, limit)
    parts.push(...shownOf(part))
    next = part.next
  }

  expect(parts).toEqual(whole)
})

test('a row that was deleted and inserted again, and its truncates, are one life', async () => {
  const log = new ChangeLog()
    .contract(ordersContract())
    .create({ id: 1, name: 'a', amount: null }, { lsn: 10, committedAtMs: 1_700_000_000_000 })
    .delete({ id: 1, name: null, amount: null }, { lsn: 20, committedAtMs: 1_700_000_001_000 })
    .create({ id: 1, name: 'b', amount: null }, { lsn: 30, committedAtMs: 1_700_000_002_000 })
    .truncate({ lsn: 40, committedAtMs: 1_700_000_003_000 })
    .beacon(1, { lsn: '0/1000' })
  await applyChanges(log)

  const lived = await life({ id: '1' })

  expect(shownOf(lived)).toEqual(['truncate -', 'insert 1', 'delete 1', 'insert 1'])
  expect(lived.now).toBeNull()
})

test('a row of names with markup and quotes is found, and shown as it is now', async () => {
  const table = `<b>o'r`
  const columns = [
    columnContract(1, `k'<i>`, 'numeric', { key: 1, nullable: false }),
    columnContract(2, 'Größe 😀', 'text'),
  ]
  const log = new ChangeLog()
    .contract(ordersContract({ table, columns }))
    .create({ [`k'<i>`]: '1.50', 'Größe 😀': '\u202e<script>' }, { lsn: 10, table })
    .beacon(1, { lsn: '0/1000' })
  await applyChanges(log)

  const lived = await life({ [`k'<i>`]: 1.5 }, undefined, 10, `public.${table}`)

  expect(shownOf(lived)).toEqual(['insert 1.5'])
  expect(lived.now).toMatchObject([{ name: `k'<i>`, cell: { text: '1.50' } }, { cell: { text: '\u202e<script>' } }])
})

test('a key or a table that is none is refused by name', async () => {
  await applyChanges(movedRow())

  await expect(life({ no: 1 })).rejects.toThrow('the key of public.orders is (id), not (no)')
  await expect(life({ id: 'x' })).rejects.toThrow('"x"')
  await expect(life({ id: 1 }, undefined, 1, 'public.none')).rejects.toThrow(
    'no captured table is or was called public.none',
  )
})

test.each(['', 'x', 'W10', Buffer.from('[[{"epoch":1}],"1.2.3.c.4.5.6"]').toString('base64url')])(
  '%j is no cursor',
  (text) => {
    expect(parseLifeCursor(text)).toBeUndefined()
  },
)
