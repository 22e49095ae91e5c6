import { expect, test } from 'vitest'
import { readAhead } from './read-ahead.ts'

/** A store that notes which objects it is asked for. */
function makeStore(failing?: string) {
  const asked: string[] = []
  const get = async (url: string) => {
    asked.push(url)
    if (url === failing) throw new Error(`${url} is out of reach`)
    return Buffer.from(url)
  }
  return { asked, get }
}
const objects = (count: number, bytes: number) => Array.from({ length: count }, (_, i) => ({ path: `${i}`, bytes }))

test('each object is fetched once, the next ones while the reader works on one', async () => {
  const store = makeStore()
  const ahead = readAhead(store, objects(4, 10))

  const first = await ahead.get('0')
  const askedByThen = [...store.asked]
  const others = [await ahead.get('1'), await ahead.get('2'), await ahead.get('3')]

  expect(askedByThen).toEqual(['0', '1', '2', '3'])
  expect([first, ...others].map(String)).toEqual(['0', '1', '2', '3'])
  expect(store.asked).toEqual(['0', '1', '2', '3'])
})

test('large objects come one by one, so that memory holds them', async () => {
  const store = makeStore()

  await readAhead(store, objects(4, 64 << 20)).get('0')

  expect(store.asked).toEqual(['0'])
})

test('an object that cannot be fetched is an error for the reader that asks for it', async () => {
  const ahead = readAhead(makeStore('1'), objects(3, 10))

  expect(String(await ahead.get('0'))).toBe('0')
  await expect(ahead.get('1')).rejects.toThrow('1 is out of reach')
})
