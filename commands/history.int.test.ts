import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { keepChanges, keepContract } from '#test-support/changes/history-rows.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { main } from './history.ts'

let target: TestDatabase
let out: string[]
let err: string[]
beforeEach(async () => {
  target = await createDatabase('target')
  await keepContract(target.pool)
  out = []
  err = []
  vi.spyOn(console, 'log').mockImplementation((line) => void out.push(line))
  vi.spyOn(console, 'error').mockImplementation((line) => void err.push(line))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await target.drop()
})

const run = (...args: string[]) => main([...args, '--target', target.url])

test('the changes of a row are shown newest first, numbers with all their digits', async () => {
  const id = '9007199254740993'
  await keepChanges(
    target.pool,
    { op: 'c', key: [id], after: [id, 'new', '1.00'] },
    { op: 'u', key: [id], before: [id, 'new', '1.00'], after: [id, 'paid', null] },
    { op: 'd', key: [id], before: [id, 'paid', null] },
  )

  expect(await run('public.orders', `{"id":${id}}`, '--limit', '3')).toBe(0)

  expect(out).toEqual([
    `2026-11-21 12:00:02.000000  delete  transaction 702  id: ${id}, amount: null, status: paid`,
    '2026-11-21 12:00:01.000000  update  transaction 701  amount: 1.00 → null, status: new → paid',
    `2026-11-21 12:00:00.000000  insert  transaction 700  id: ${id}, amount: 1.00, status: new`,
    '',
    '3 changes.',
  ])
})

test('as JSON each change is a line with the rows before and after', async () => {
  await keepChanges(target.pool, { op: 'd', key: ['1'], before: ['1', 'x', null] })

  expect(await run('public.orders', '--json')).toBe(0)

  expect(out.map((line) => JSON.parse(line))).toMatchObject([
    { op: 'delete', key: { id: 1 }, before: { id: 1, status: 'x', amount: null }, after: null },
  ])
})

test('turns history of a table off and on, and says how long it is kept', async () => {
  const setting = async () =>
    (
      await target.pool.query(
        `select enabled, retention::text from tidemark.history_setting where schema_name = 'public'`,
      )
    ).rows[0]

  expect(await run('--off', 'public.orders')).toBe(0)
  expect(await setting()).toEqual({ enabled: false, retention: null })
  expect(await run('public.orders', '--retention', '90d')).toBe(0)
  expect(await setting()).toEqual({ enabled: true, retention: '90 days' })
  expect(out).toEqual([
    'Changes of public.orders are no longer kept.',
    'Changes of public.orders are kept, and stay for 90d.',
  ])
})

test.each([
  [2, ['public.order', '{"id":1}'], 'public.order'],
  [1, ['public.orders', '{"nr":1}'], 'the key of public.orders is (id), not (nr)'],
  [2, ['public.orders', 'id=1'], 'is not a JSON object'],
  [1, ['public.orders', '--retention', 'often'], 'invalid input syntax for type interval'],
  [2, ['public.orders', '--limit', '0'], '--limit 0'],
] as const)('with exit code %d %j is refused with what is wrong', async (code, args, message) => {
  expect(await run(...args)).toBe(code)

  expect(err.join()).toContain(message)
})
