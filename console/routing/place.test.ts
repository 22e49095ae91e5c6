import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hrefOf, isSameScreen, placeOf } from './place.ts'

const read = (href: string) => {
  const { pathname, search } = new URL(href, 'http://console')
  return placeOf(pathname, search)
}

test('a path and its filters are restored from the URL', () => {
  expect(read('/tables/public.orders?search=a%20b')).toEqual({
    path: ['tables', 'public.orders'],
    query: { search: 'a b' },
  })
})

test('names with slashes, percents, spaces and any letters keep them', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.string({ unit: 'grapheme', minLength: 1 }),
      (name, filter) => {
        expect(read(hrefOf(['tables', `public.${name}`], { filter }))).toEqual({
          path: ['tables', `public.${name}`],
          query: { filter },
        })
      },
    ),
  )
})

test('a filter that is not set is not in the URL', () => {
  expect(hrefOf(['changes'], { table: '', op: null, who: undefined })).toBe('/changes')
})

test('a segment that is not encoded is taken as it is', () => {
  expect(placeOf('/tables/100%', '').path).toEqual(['tables', '100%'])
})

test('filters do not make another screen', () => {
  expect(isSameScreen(read('/changes?op=insert'), read('/changes'))).toBe(true)
  expect(isSameScreen(read('/changes'), read('/changes/1'))).toBe(false)
})
