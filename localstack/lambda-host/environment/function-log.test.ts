import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { makeFunctionLog } from './function-log.ts'

/** A log, the lines that it has passed on, and a way to write to one of its streams. */
function setUp() {
  const lines: string[] = []
  const log = makeFunctionLog((line) => lines.push(line))
  const open = () => {
    const stream = new Readable({ read: () => undefined })
    log.follow(stream)
    return stream
  }
  return { log, lines, open }
}

test('a line arrives once, whole, however its bytes were cut', async () => {
  const { lines, open } = setUp()
  const stream = open()

  for (const byte of Buffer.from('grün\nblau\n')) stream.push(Buffer.from([byte]))
  await setImmediate()

  expect(lines).toEqual(['grün', 'blau'])
})

test('stdout and stderr do not cut into each other, and the last words need no end of line', async () => {
  const { lines, open } = setUp()
  const [stdout, stderr] = [open(), open()]

  stdout.push('half ')
  await setImmediate()
  stderr.push('warning\n')
  await setImmediate()
  stdout.push('done\nlast words')
  stdout.push(null)
  await setImmediate()

  expect(lines).toEqual(['warning', 'half done', 'last words'])
})

test('a line without an end is cut where CloudWatch would, so memory stays small', async () => {
  const { lines, open } = setUp()
  const stream = open()

  for (let chunk = 0; chunk < 10; chunk++) stream.push('x'.repeat(65_536))
  await setImmediate()

  expect(lines.map(({ length }) => length)).toEqual([5 * 65_536, 5 * 65_536])
})

test('the tail is the last 4 KiB of the invocation and nothing of the one before', () => {
  const { log } = setUp()
  log.write('an earlier invocation')

  log.startTail()
  expect(log.tail('START', 'END')).toBe('START\nEND\n')

  for (let line = 0; line < 10_000; line++) log.write(`line ${line}`)
  const tail = log.tail('START', 'END')
  expect(Buffer.byteLength(tail)).toBe(4096)
  expect(tail).toMatch(/line 9998\nline 9999\nEND\n$/)
})
