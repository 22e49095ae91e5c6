import { expect, test } from 'vitest'
import type { ColumnChange, ShownChange } from '#core/console/changes.ts'
import { shownColumns } from './shown-columns.ts'

const text = (text: string) => ({ kind: 'text', text }) as const
const column = (name: string, isChanged: boolean): ColumnChange => ({
  ...{ name, type: 'text', isChanged, before: text('a'), after: text(isChanged ? 'b' : 'a') },
})
const change = (parts: Partial<ShownChange>) => ({ op: 'update', columnCount: 9, ...parts }) as ShownChange
const names = (columns: readonly ColumnChange[]) => columns.map(({ name }) => name)

test('of an update the changed columns are shown', () => {
  const shown = shownColumns(
    change({ columns: [column('a', true), column('b', false), column('c', true)], changedCount: 5 }),
    1,
  )

  expect(names(shown.columns)).toEqual(['a'])
  expect(shown).toMatchObject({ more: 4, isBeforeUnknown: false })
})

test('of an insert the first columns are shown', () => {
  const shown = shownColumns(change({ op: 'insert', columns: [column('a', false)], changedCount: 0 }), 6)

  expect(names(shown.columns)).toEqual(['a'])
  expect(shown.more).toBe(8)
})

test('where the row before is not known, the row after is shown, and not that nothing changed', () => {
  const unknown = { ...column('a', false), before: { kind: 'unavailable' } as const }
  const shown = shownColumns(change({ columns: [unknown], changedCount: 0 }), 6)

  expect(shown.columns).toEqual([{ name: 'a', type: 'text', isChanged: false, after: text('a') }])
  expect(shown.isBeforeUnknown).toBe(true)
})
