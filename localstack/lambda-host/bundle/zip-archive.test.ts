import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { repository } from '#localstack/settings.ts'
import { unpackZip } from './zip-archive.ts'

// Source of the format: PKWARE, APPNOTE.TXT 6.3.10.

const fixture = (name: string) => join(repository, 'fixtures', 'function-bundles', `${name}.zip`)

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zip-archive-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

test.each(['deflated', 'stored'])('a %s archive is unpacked with its folders, modes and links', (name) => {
  unpackZip(fixture(name), directory)

  expect(readdirSync(directory, { recursive: true }).sort()).toEqual([
    'bin',
    'bin/hello.sh',
    'index.js',
    'lib',
    'lib/greeting.js',
    'linked.js',
  ])
  expect(readFileSync(join(directory, 'bin/hello.sh'), 'utf8')).toBe('#!/bin/sh\necho hello\n')
  expect(statSync(join(directory, 'bin/hello.sh')).mode & 0o111).toBe(0o111)
  expect(statSync(join(directory, 'index.js')).mode & 0o111).toBe(0)
  expect(lstatSync(join(directory, 'linked.js')).isSymbolicLink()).toBe(true)
})

/** The stored fixture in which one text is replaced everywhere by another of the same length. */
function altered(from: string, to: string): string {
  const file = join(directory, 'altered.zip')
  writeFileSync(file, readFileSync(fixture('stored')).toString('latin1').replaceAll(from, to), 'latin1')
  return file
}

test('a name that leaves the directory is refused', () => {
  expect(() => unpackZip(altered('index.js', '../ex.js'), join(directory, 'code'))).toThrow(
    '../ex.js lies outside of it',
  )
})

test('a link that leaves the directory is refused', () => {
  // The link is not compressed, so its target follows its name.
  const file = altered('linked.jslib/greeting.js', 'linked.js../../greet.js!')

  expect(() => unpackZip(file, join(directory, 'code'))).toThrow('linked.js links to outside of it')
})

test.each([
  // The first case sets the flags of an entry of the directory, the second the number of entries in the end record.
  ['it is encrypted', 'PK\x01\x02', 8, 0x01],
  ['it has the 64-bit format, which is not supported', 'PK\x05\x06', 10, 0xffff],
])('an archive is refused where %s', (reason, record, at, value) => {
  const zip = readFileSync(fixture('stored'))
  zip.writeUInt16LE(value, zip.indexOf(record, 0, 'latin1') + at)
  const file = join(directory, 'altered.zip')
  writeFileSync(file, zip)

  expect(() => unpackZip(file, join(directory, 'code'))).toThrow(`${file} cannot be unpacked: ${reason}`)
})

test('a file that is not an archive, or only a part of one, is refused by its name', () => {
  const text = join(directory, 'text.zip')
  writeFileSync(text, 'not an archive')
  const part = join(directory, 'part.zip')
  const whole = readFileSync(fixture('deflated'))
  writeFileSync(part, Buffer.concat([whole.subarray(0, 40), whole.subarray(-60)]))

  expect(() => unpackZip(text, directory)).toThrow(`${text} cannot be unpacked: it is not a .zip`)
  expect(() => unpackZip(part, directory)).toThrow(`${part} cannot be unpacked: its directory is damaged`)
})
