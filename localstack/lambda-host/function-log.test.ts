import { expect, test } from 'vitest'
import { makeFunctionLog } from './function-log.ts'

test('a line arrives once, whole, however its bytes were cut', () => {
  const lines: string[] = []
  const log = makeFunctionLog((line) => lines.push(line))
  const stream = log.stream()
  const bytes = Buffer.from('grün\nblau\n')

  for (const byte of bytes) stream(Buffer.from([byte]))

  expect(lines).toEqual(['grün', 'blau'])
})

test('stdout and stderr do not cut into each other', () => {
  const lines: string[] = []
  const log = makeFunctionLog((line) => lines.push(line))
  const [stdout, stderr] = [log.stream(), log.stream()]

  stdout(Buffer.from('half '))
  stderr(Buffer.from('warning\n'))
  stdout(Buffer.from('done\n'))

  expect(lines).toEqual(['warning', 'half done'])
})

test('the tail is the last 4 KiB of the invocation and nothing of the one before', () => {
  const log = makeFunctionLog(() => undefined)
  log.write('an earlier invocation')

  log.startTail()
  expect(log.tail('START', 'END')).toBe('START\nEND\n')

  for (let line = 0; line < 10_000; line++) log.write(`line ${line}`)
  const tail = log.tail('START', 'END')
  expect(Buffer.byteLength(tail)).toBe(4096)
  expect(tail).toMatch(/line 9998\nline 9999\nEND\n$/)
})
