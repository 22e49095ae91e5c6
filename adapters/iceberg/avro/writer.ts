import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { AvroBuffer } from './buffer.ts'
import { encodeAvro } from './encoding.ts'
import { AVRO_MAGIC, type AvroCodec, type AvroSchema, type AvroValue, SYNC_LENGTH } from './schema.ts'

/** The encoded size in bytes from which on compression saves enough. */
const DEFLATE_FROM = 4_096

/**
 * The encoded size in bytes of a block, as in Avro's own writers. It is limited because a reader holds a whole block in
 * memory.
 */
const BLOCK_LENGTH = 64_000

/**
 * Writes an Avro object container file. The schema is written unchanged, including Iceberg's attributes such as
 * `field-id`. A record that does not fit it throws an AvroError. The same input gives the same bytes.
 */
export function writeAvro(
  schema: AvroSchema,
  records: Iterable<AvroValue>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const blocks = encodeBlocks(schema, records)
  const codec = blocks.reduce((length, { bytes }) => length + bytes.length, 0) < DEFLATE_FROM ? 'null' : 'deflate'
  const sync = syncMarker(blocks)
  const out = new AvroBuffer()
  out.raw(AVRO_MAGIC)
  writeMetadata(out, { ...metadata, 'avro.schema': JSON.stringify(schema), 'avro.codec': codec })
  out.raw(sync)
  for (const { count, bytes } of blocks) {
    out.long(count)
    out.bytes(compress(bytes, codec))
    out.raw(sync)
  }
  return out.finish()
}

type Block = { count: number; bytes: Uint8Array }

function encodeBlocks(schema: AvroSchema, records: Iterable<AvroValue>): Block[] {
  const blocks: Block[] = []
  const encode = encodeAvro(schema)
  let buffer = new AvroBuffer()
  let count = 0
  const close = () => {
    if (count > 0) blocks.push({ count, bytes: buffer.finish() })
    buffer = new AvroBuffer()
    count = 0
  }
  for (const record of records) {
    encode(buffer, record)
    count++
    if (buffer.length >= BLOCK_LENGTH) close()
  }
  close()
  return blocks
}

/**
 * The marker is a hash of the content and not random, so that a manifest that is written again after a crash is the
 * same file.
 */
function syncMarker(blocks: readonly Block[]): Uint8Array {
  const hash = createHash('sha256')
  for (const { bytes } of blocks) hash.update(bytes)
  return hash.digest().subarray(0, SYNC_LENGTH)
}

function writeMetadata(out: AvroBuffer, metadata: Readonly<Record<string, string>>): void {
  const entries = Object.entries(metadata)
  out.long(entries.length)
  for (const [key, value] of entries) {
    out.string(key)
    out.string(value)
  }
  out.long(0)
}

const compress = (bytes: Uint8Array, codec: AvroCodec): Uint8Array =>
  codec === 'deflate' ? deflateRawSync(bytes) : bytes
