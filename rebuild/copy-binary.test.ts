import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BinaryRow, decodeRows, encodeRows } from './copy-binary.ts'

const rows = fc.array(fc.array(fc.option(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)))))

async function* portionsOf(all: readonly BinaryRow[]) {
  for (const row of all) yield [row]
}

async function* cutInto(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

test('rows that are written are read again, however the stream is cut', async () => {
  await fc.assert(
    fc.asyncProperty(rows, fc.integer({ min: 1, max: 40 }), async (all, size) => {
      const written = Buffer.concat(await collect(encodeRows(portionsOf(all))))

      const read = await collect(decodeRows(cutInto(written, size)))

      expect(read).toEqual(all)
    }),
  )
})

test('a stream that breaks off is an error, not fewer rows', async () => {
  const written = Buffer.concat(await collect(encodeRows(portionsOf([[Buffer.from('whole')]]))))

  const reading = collect(decodeRows(cutInto(written.subarray(0, -2), 7)))

  await expect(reading).rejects.toThrow('in the middle of its rows')
})
