import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { inflateRawSync } from 'node:zlib'

const endOfDirectory = 0x06054b50
const directoryEntry = 0x02014b50
const localEntry = 0x04034b50

/** Length of the end record without a comment, and with the longest comment. */
const endBytes = 22
const longestEndBytes = endBytes + 0xffff

const stored = 0
const deflated = 8

type Entry = { name: string; method: number; compressedBytes: number; bytes: number; offset: number; mode: number }

/**
 * Unpacks a .zip into a directory, with its modes and symbolic links. Throws an Error that names the file when it is
 * not a .zip, when a name or link would leave the directory, and for forms that Lambda bundles never have: encrypted,
 * in parts, or 64-bit.
 * Source: PKWARE, APPNOTE.TXT 6.3.10.
 */
export function unpackZip(file: string, directory: string): void {
  const zip = readFileSync(file)
  const refuse = (reason: string) => new Error(`${file} cannot be unpacked: ${reason}`)
  for (const entry of readDirectory(zip, refuse)) {
    const path = resolve(directory, entry.name)
    if (!isInside(directory, path)) throw refuse(`${entry.name} lies outside of it`)
    if (entry.name.endsWith('/')) {
      mkdirSync(path, { recursive: true })
      continue
    }
    mkdirSync(dirname(path), { recursive: true })
    const content = contentOf(zip, entry, refuse)
    if ((entry.mode & 0o170000) === 0o120000) {
      const target = content.toString()
      if (!isInside(directory, resolve(dirname(path), target))) throw refuse(`${entry.name} links to outside of it`)
      symlinkSync(target, path)
    } else {
      writeFileSync(path, content)
      if ((entry.mode & 0o111) !== 0) chmodSync(path, 0o755)
    }
  }
}

function readDirectory(zip: Buffer, refuse: (reason: string) => Error): Entry[] {
  const end = findEnd(zip)
  if (end === undefined) throw refuse('it is not a .zip')
  const count = zip.readUInt16LE(end + 10)
  let at = zip.readUInt32LE(end + 16)
  if (count === 0xffff || at === 0xffffffff) throw refuse('it has the 64-bit format, which is not supported')
  const entries: Entry[] = []
  for (let index = 0; index < count; index++) {
    if (at + 46 > zip.length || zip.readUInt32LE(at) !== directoryEntry) throw refuse('its directory is damaged')
    if ((zip.readUInt16LE(at + 8) & 1) !== 0) throw refuse('it is encrypted')
    const nameBytes = zip.readUInt16LE(at + 28)
    entries.push({
      name: zip.toString('utf8', at + 46, at + 46 + nameBytes),
      method: zip.readUInt16LE(at + 10),
      compressedBytes: zip.readUInt32LE(at + 20),
      bytes: zip.readUInt32LE(at + 24),
      offset: zip.readUInt32LE(at + 42),
      mode: zip.readUInt16LE(at + 40),
    })
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return entries
}

function findEnd(zip: Buffer): number | undefined {
  for (let at = zip.length - endBytes; at >= Math.max(0, zip.length - longestEndBytes); at--) {
    if (zip.readUInt32LE(at) === endOfDirectory) return at
  }
  return undefined
}

function contentOf(zip: Buffer, entry: Entry, refuse: (reason: string) => Error): Buffer {
  const { name, method, compressedBytes, bytes, offset } = entry
  if (offset + 30 > zip.length || zip.readUInt32LE(offset) !== localEntry) throw refuse(`${name} is damaged`)
  const begin = offset + 30 + zip.readUInt16LE(offset + 26) + zip.readUInt16LE(offset + 28)
  const packed = zip.subarray(begin, begin + compressedBytes)
  if (method !== stored && method !== deflated) throw refuse(`${name} is compressed by method ${method}`)
  const content = method === stored ? packed : inflateRawSync(packed)
  if (content.length !== bytes) throw refuse(`${name} is damaged`)
  return content
}

function isInside(directory: string, path: string): boolean {
  const way = relative(directory, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && join(directory, way) === path
}
