import { expect, test } from 'vitest'
import { addToTail, EMPTY_TAIL, type Tail } from './tail.ts'

const shown = (tail: Tail<number>) =>
  tail.entries.map((entry) => (entry.kind === 'item' ? entry.item : `${entry.skipped} skipped`))

test('the newest item is first', () => {
  const tail = addToTail<number>(EMPTY_TAIL, { items: [1, 2], skipped: 0, cursor: 'a' })

  expect(shown(addToTail(tail, { items: [3], skipped: 0, cursor: 'b' }))).toEqual([3, 2, 1])
})

test('a gap lies between what was there and what has come', () => {
  const tail = addToTail<number>(EMPTY_TAIL, { items: [1], skipped: 0, cursor: 'a' })
  const later = addToTail(tail, { items: [8, 9], skipped: 6, cursor: 'b' })

  expect(shown(later)).toEqual([9, 8, '6 skipped', 1])
  expect(later).toMatchObject({ skipped: 6, seen: 3, cursor: 'b' })
})

test('nothing new keeps the entries, so that nothing is drawn again', () => {
  const tail = addToTail<number>(EMPTY_TAIL, { items: [1], skipped: 0, cursor: 'a' })

  expect(addToTail(tail, { items: [], skipped: 0, cursor: 'b' }).entries).toBe(tail.entries)
})

test('half an hour at a thousand a second keeps as many entries as a few seconds', () => {
  let tail: Tail<number> = EMPTY_TAIL
  for (let second = 0; second < 1_800; second++) {
    const items = Array.from({ length: 500 }, (_, i) => second * 1_000 + 500 + i)
    tail = addToTail(tail, { items, skipped: 500, cursor: String(second) }, 2_000)
  }

  expect(tail.entries).toHaveLength(2_000)
  expect(tail.entries[0]).toEqual({ kind: 'item', item: 1_799_999 })
  expect(tail.skipped).toBe(900_000)
})
