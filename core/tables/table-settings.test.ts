import { expect, test } from 'vitest'
import { ordersContract } from '#test-support/changes/change-log.ts'
import { historyRule, stopRule } from './table-settings.ts'

const setting = (table: string, enabled: boolean, relations: number[] = []) => ({
  schema: table === '*' ? '*' : 'public',
  table,
  enabled,
  relations,
})

test('a setting of the relation comes before one of its name, and that before the one of every table', () => {
  const orders = ordersContract()
  expect(historyRule([])(orders)).toBe(false)
  expect(historyRule([setting('*', true)])(orders)).toBe(true)
  expect(historyRule([setting('*', true), setting('orders', false)])(orders)).toBe(false)
  expect(historyRule([setting('orders', false), setting('former_name', true, [4711])])(orders)).toBe(true)
})

test('a stop concerns its generation and those before it, not a later one, nor another table', () => {
  const isStopped = stopRule([{ relation: 4711, generation: 2, name: 'public.orders', accepted: false }])
  expect([1, 2, 3].map((generation) => isStopped(4711, generation, 'public.orders'))).toEqual([true, true, false])
  expect(isStopped(9, 1, 'public.orders')).toBe(false)
})

test('a stop of a table that no contract names applies to records that come under its name without a contract', () => {
  const isStopped = stopRule([{ relation: 0, generation: 0, name: 'public.ghost', accepted: false }])
  expect([isStopped(0, 0, 'public.ghost'), isStopped(0, 0, 'public.other'), isStopped(9, 1, 'public.ghost')]).toEqual([
    true,
    false,
    false,
  ])
})
