import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { main } from './index.ts'

let target: TestDatabase
let out: string[]
let err: string[]
beforeEach(async () => {
  target = await createDatabase('target')
  await target.pool.query('select tidemark.shape_latest_state(1, $1)', [JSON.stringify(ordersContract())])
  out = []
  err = []
  vi.spyOn(console, 'log').mockImplementation((line) => void out.push(line))
  vi.spyOn(console, 'error').mockImplementation((line) => void err.push(line))
  // The progress is not part of what is tested.
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})
afterEach(async () => {
  vi.restoreAllMocks()
  await target.drop()
})

const run = (...args: string[]) => main([...args, '--target', target.url])

test('an index is declared and made, listed, and removed', async () => {
  expect(await run('add', 'public.orders', '(lower(name), id desc) where amount > 0')).toBe(0)
  expect(out).toEqual([
    'public.orders  orders_lower_id_idx',
    '  USING btree (lower(name), id DESC) WHERE (amount > (0)::numeric)',
    expect.stringMatching(/^ {2}t4711_1_i\d+ {2}made$/),
  ])

  out = []
  expect(await run('list', '--json')).toBe(0)
  expect(JSON.parse(out.join(''))).toEqual([
    {
      ...{ table: 'public.orders', name: 'orders_lower_id_idx', state: 'made', problem: null },
      definition: 'USING btree (lower(name), id DESC) WHERE (amount > (0)::numeric)',
      madeAs: expect.stringMatching(/^t4711_1_i\d+$/),
    },
  ])

  out = []
  expect(await run('remove', 'public.orders', 'orders_lower_id_idx')).toBe(0)
  expect(await run('list')).toBe(0)
  expect(out).toEqual(['public.orders has no index orders_lower_id_idx any more.', 'No index is declared.'])
})

test('an index that the rows do not allow is exit code 1, with the reason', async () => {
  await target.pool.query(`
    insert into tidemark_rows.t4711_1 (c1, "tidemark$epoch", "tidemark$phase", "tidemark$live", "tidemark$lsn")
    values (1, 1, 1, true, 20)`)

  expect(await run('add', 'public.orders', '((1 / (id - 1)))')).toBe(1)

  expect(out.at(-1)).toBe('  division by zero')
  expect(await run('build')).toBe(1)
  await target.pool.query('delete from tidemark_rows.t4711_1')
  expect(await run('build', 'public.orders')).toBe(0)
})

test.each([
  [['add', 'public.ordrs', '(id)'], 'there is no table public.ordrs: did you mean public.orders?'],
  [['build', 'public.ordrs'], 'there is no table public.ordrs: did you mean public.orders?'],
  [['add', 'public.orders', '(nme)'], 'column "nme" does not exist'],
  [['add', 'public.orders', '(lower(name)', 'id)'], 'A definition must be one argument'],
  [['add', 'public.orders'], "npm run index -- add needs a table and a definition such as '(lower(name))'."],
  [['remove', 'public.orders', 'nothing'], 'public.orders has no declared index nothing. It has none.'],
  [['make'], 'Say what to do: list, add, build, remove.'],
  [['list', '--name', 'x'], '--name is for add.'],
])('a wrong argument is refused with exit code 2: %j', async (args, message) => {
  expect(await run(...args)).toBe(2)

  expect(err.join('\n')).toContain(message)
})
