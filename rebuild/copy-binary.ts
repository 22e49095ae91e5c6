/** The fields of a row in COPY's binary format; null for an SQL null. */
export type BinaryRow = readonly (Buffer | null)[]

/** A signature without flags and without an extension ("Binary Format" in the documentation of COPY). */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const TRAILER = Buffer.from([0xff, 0xff])
const COUNT_BYTES = 2
const LENGTH_BYTES = 4
const NULL_LENGTH = -1

/** Encodes rows, which come in portions, for COPY … FROM STDIN (FORMAT binary). Each portion becomes one chunk. */
export async function* encodeRows(portions: AsyncIterable<readonly BinaryRow[]>): AsyncGenerator<Buffer> {
  yield HEADER
  for await (const rows of portions) if (rows.length > 0) yield Buffer.concat(rows.flatMap(encodeRow))
  yield TRAILER
}

function encodeRow(fields: BinaryRow): Buffer[] {
  const count = Buffer.alloc(COUNT_BYTES)
  count.writeInt16BE(fields.length)
  return [count, ...fields.flatMap((field) => (field === null ? [int32(NULL_LENGTH)] : [int32(field.length), field]))]
}

/**
 * Decodes the rows that COPY … TO STDOUT (FORMAT binary) sends. Memory is needed for one chunk, or for one row if that
 * is longer.
 */
export async function* decodeRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<BinaryRow> {
  let pieces: Buffer[] = []
  let held = 0
  let wanted = HEADER.length
  let isHeader = true
  for await (const chunk of chunks) {
    pieces.push(chunk)
    held += chunk.length
    // A row of megabytes comes in many chunks. They are joined only when the row may be complete.
    if (held < wanted) continue
    const bytes = pieces.length === 1 ? chunk : Buffer.concat(pieces)
    let at = isHeader ? HEADER.length : 0
    isHeader = false
    for (;;) {
      const row = readRow(bytes, at)
      if (row === 'end') return
      if ('missing' in row) {
        wanted = bytes.length - at + row.missing
        break
      }
      yield row.fields
      at = row.end
    }
    pieces = [bytes.subarray(at)]
    held = bytes.length - at
  }
  throw new Error('COPY ended in the middle of its rows')
}

function readRow(bytes: Buffer, start: number): { fields: BinaryRow; end: number } | { missing: number } | 'end' {
  let at = start + COUNT_BYTES
  if (at > bytes.length) return { missing: at - bytes.length }
  const count = bytes.readInt16BE(start)
  if (count < 0) return 'end'
  const fields: (Buffer | null)[] = []
  for (let i = 0; i < count; i++) {
    if (at + LENGTH_BYTES > bytes.length) return { missing: at + LENGTH_BYTES - bytes.length }
    const length = bytes.readInt32BE(at)
    at += LENGTH_BYTES
    if (length === NULL_LENGTH) fields.push(null)
    else {
      if (at + length > bytes.length) return { missing: at + length - bytes.length }
      fields.push(bytes.subarray(at, at + length))
      at += length
    }
  }
  return { fields, end: at }
}

/** An integer in its binary format. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** A bigint in its binary format. */
export function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}

/** The number in a bigint's binary format. */
export const readInt64 = (bytes: Buffer): number => Number(bytes.readBigInt64BE())
