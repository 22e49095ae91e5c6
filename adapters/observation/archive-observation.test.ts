import { expect, test, vi } from 'vitest'
import { loadRarely } from './archive-observation.ts'

/** The loaded value is the number of loads. */
function loader() {
  let [times, nowMs] = [0, 0]
  const load = vi.fn(async () => ++times)
  const read = loadRarely(load, () => nowMs)
  const at = (ms: number) => {
    nowMs = ms
  }
  return { load, read, at }
}

test('the metadata of the archive is read again ten seconds after the last time, where there is a new commit', async () => {
  const { read, at } = loader()
  expect(await read('a')).toBe(1)
  at(9_999)
  expect(await read('b')).toBe(1)
  at(10_000)
  expect(await read('b')).toBe(2)
})

test('the metadata of the archive is read again after half a minute where no commit of ours was made', async () => {
  const { read, at } = loader()
  expect(await read('a')).toBe(1)
  at(29_999)
  expect(await read('a')).toBe(1)
  at(30_000)
  expect(await read('a')).toBe(2)
})

test('calls that come during a load share it', async () => {
  const { load, read } = loader()
  expect(await Promise.all([read('a'), read('b')])).toEqual([1, 1])
  expect(load).toHaveBeenCalledOnce()
})

test('a catalog that did not answer is asked again at once', async () => {
  const { load, read } = loader()
  load.mockRejectedValueOnce(new Error('it is gone'))
  await expect(read('a')).rejects.toThrow('it is gone')
  expect(await read('a')).toBe(1)
})
