import { expect, test } from 'vitest'
import { keyParameter, rowHref, transactionHref } from './change-links.ts'

const text = (text: string) => ({ kind: 'text', text }) as const

test('a key keeps all digits of its values', () => {
  expect(
    keyParameter([
      { name: 'id', cell: text('9007199254740993') },
      { name: 'at', cell: { kind: 'null' } },
    ]),
  ).toBe('{"id":"9007199254740993","at":null}')
})

test('a change without a key, or with one that is cut, has no row to show', () => {
  expect(rowHref({ table: 'public.orders', key: null })).toBeNull()
  expect(
    rowHref({ table: 'public.orders', key: [{ name: 'id', cell: { kind: 'cut', text: 'a', length: 9 } }] }),
  ).toBeNull()
})

test('a transaction is found by its epoch, its number and its commit time', () => {
  const change = { epoch: 3, transaction: '771', committedAt: '2026-11-30T14:05:03.000001Z' }

  expect(transactionHref(change as Parameters<typeof transactionHref>[0])).toBe(
    '/transactions/3/771?at=2026-11-30T14%3A05%3A03.000001Z',
  )
})
