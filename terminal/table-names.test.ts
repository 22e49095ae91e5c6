import { expect, test } from 'vitest'
import { nearNames, requireNames, requireTables } from './table-names.ts'
import { exitCodeOf, UsageError } from './usage-error.ts'

const known = ['public.orders', 'public.order_items', 'sales.orders', 'public.customers', 'public.Ärger']

test.each([
  ['public.ordres', ['public.orders']],
  ['orders', ['public.orders', 'sales.orders']],
  ['public.Orders', ['public.orders']],
  ['publik.orders', ['public.orders']],
  ['public.order_item', ['public.order_items']],
  ['public.invoices', []],
])('near %s are %j', (wanted, near) => {
  expect(nearNames(wanted, known).slice(0, Math.max(1, near.length))).toEqual(near)
})

test('a name that is not known is a wrong argument that says what there is', () => {
  expect(() => requireTables(['public.orders'], known)).not.toThrow()
  expect(() => requireTables(['public.orders', 'public.ordres'], known)).toThrow(
    new UsageError('there is no table public.ordres: did you mean public.orders?'),
  )
  expect(() => requireTables(['x'], ['public.a', 'public.bcd'])).toThrow('there are public.a, public.bcd')
  expect(() => requireTables(['x'], [])).toThrow('there is no table yet')
  expect(() => requireNames('schema', ['citi'], ['city'])).toThrow('there is no schema citi: did you mean city?')
})

test('a wrong argument is exit code 2', () => {
  expect(exitCodeOf(new UsageError('x'))).toBe(2)
  expect(exitCodeOf(Object.assign(new Error('x'), { code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION' }))).toBe(2)
  expect(exitCodeOf(Object.assign(new Error('x'), { code: '42P01' }))).toBe(1)
})
