import { inflateRawSync } from 'node:zlib'
import { AvroCursor } from './cursor.ts'
import {
  AVRO_MAGIC,
  type AvroEnum,
  AvroError,
  type AvroField,
  type AvroFixed,
  type AvroMap,
  AvroNames,
  type AvroRecord,
  type AvroSchema,
  type AvroValue,
  SYNC_LENGTH,
} from './schema.ts'

/** A decoded object container file. */
export type AvroFile = {
  /** The schema in the file, unchanged. */
  readonly schema: AvroSchema
  /** The entries of the header, including `avro.schema` and `avro.codec`. */
  readonly metadata: Readonly<Record<string, string>>
  readonly records: readonly AvroValue[]
}

/**
 * Reads an Avro object container file of any writer by the schema in it; the codecs are null and deflate. `names` maps
 * a `field-id` to the name that is used here, because writers name fields differently. Values of bytes are views into
 * the file or its block. Throws an AvroError.
 */
export function readAvro(bytes: Uint8Array, names: ReadonlyMap<number, string> = new Map()): AvroFile {
  const cursor = new AvroCursor(bytes)
  if (!equal(cursor.raw(AVRO_MAGIC.length), AVRO_MAGIC)) throw new AvroError('not an Avro file: it begins otherwise')
  const metadata = readMetadata(cursor)
  const schema = parseSchema(metadata['avro.schema'])
  const inflate = inflaterOf(metadata['avro.codec'] ?? 'null')
  const sync = cursor.raw(SYNC_LENGTH)
  const decode = decoderOf(schema, new AvroNames(), names)
  const records: AvroValue[] = []
  while (!cursor.atEnd) {
    const count = cursor.length()
    const block = new AvroCursor(inflate(cursor.bytes()))
    for (let i = 0; i < count; i++) records.push(decode(block))
    if (!block.atEnd) throw new AvroError('an Avro block has bytes after its last record')
    if (!equal(cursor.raw(SYNC_LENGTH), sync)) throw new AvroError('an Avro block does not end with the sync marker')
  }
  return { schema, metadata, records }
}

function readMetadata(cursor: AvroCursor): Record<string, string> {
  const metadata: Record<string, string> = {}
  for (let left = blockCount(cursor); left > 0; left = blockCount(cursor)) {
    for (; left > 0; left--) metadata[cursor.string()] = cursor.string()
  }
  return metadata
}

function parseSchema(json: string | undefined): AvroSchema {
  if (json === undefined) throw new AvroError('an Avro file has no schema')
  try {
    return JSON.parse(json) as AvroSchema
  } catch (cause) {
    throw new AvroError('the schema of an Avro file is not JSON', { cause })
  }
}

function inflaterOf(codec: string): (bytes: Uint8Array) => Uint8Array {
  if (codec === 'null') return (bytes) => bytes
  if (codec !== 'deflate')
    throw new AvroError(`the codec '${codec}' of an Avro file is not known, only null and deflate`)
  return (bytes) => {
    try {
      return inflateRawSync(bytes)
    } catch (cause) {
      throw new AvroError('a block of an Avro file cannot be inflated', { cause })
    }
  }
}

type Decode = (cursor: AvroCursor) => AvroValue

function decoderOf(schema: AvroSchema, types: AvroNames, names: ReadonlyMap<number, string>): Decode {
  if (Array.isArray(schema)) return unionDecoder(schema as readonly AvroSchema[], types, names)
  if (typeof schema === 'string') return primitives[schema] ?? decoderOf(types.resolve(schema), types, names)
  const type = schema as Exclude<AvroSchema, string | readonly AvroSchema[]>
  switch (type.type) {
    case 'record':
      types.define(type as AvroRecord)
      return recordDecoder(type as AvroRecord, types, names)
    case 'array':
      return arrayDecoder(decoderOf((type as { items: AvroSchema }).items, types, names))
    case 'map':
      return mapDecoder(decoderOf((type as AvroMap).values, types, names))
    case 'fixed': {
      types.define(type as AvroFixed)
      const { size } = type as AvroFixed
      return (cursor) => cursor.raw(size)
    }
    case 'enum':
      types.define(type as AvroEnum)
      return enumDecoder(type as AvroEnum)
    default:
      return decoderOf(type.type, types, names)
  }
}

const primitives: Readonly<Record<string, Decode | undefined>> = {
  null: () => null,
  boolean: (cursor) => cursor.boolean(),
  int: (cursor) => cursor.length(),
  long: (cursor) => cursor.long(),
  float: (cursor) => cursor.float(),
  double: (cursor) => cursor.double(),
  bytes: (cursor) => cursor.bytes(),
  string: (cursor) => cursor.string(),
}

function recordDecoder({ fields }: AvroRecord, types: AvroNames, names: ReadonlyMap<number, string>): Decode {
  const decoders = fields.map((field) => ({ name: nameOf(field, names), decode: decoderOf(field.type, types, names) }))
  return (cursor) => {
    const record: Record<string, AvroValue> = {}
    for (const { name, decode } of decoders) record[name] = decode(cursor)
    return record
  }
}

function nameOf(field: AvroField, names: ReadonlyMap<number, string>): string {
  const id = field['field-id']
  return (id === undefined ? undefined : names.get(id)) ?? field['iceberg-field-name'] ?? field.name
}

function arrayDecoder(decode: Decode): Decode {
  return (cursor) => {
    const items: AvroValue[] = []
    for (let left = blockCount(cursor); left > 0; left = blockCount(cursor)) {
      for (; left > 0; left--) items.push(decode(cursor))
    }
    return items
  }
}

function mapDecoder(decode: Decode): Decode {
  return (cursor) => {
    const entries: Record<string, AvroValue> = {}
    for (let left = blockCount(cursor); left > 0; left = blockCount(cursor)) {
      for (; left > 0; left--) entries[cursor.string()] = decode(cursor)
    }
    return entries
  }
}

/** After a negative count comes the length of the block, which lets readers skip it. Java's writer does this. */
function blockCount(cursor: AvroCursor): number {
  const count = cursor.length()
  if (count >= 0) return count
  cursor.length()
  return -count
}

function enumDecoder({ symbols }: AvroEnum): Decode {
  return (cursor) => symbols[cursor.length()] ?? fail('an index of an Avro enum is out of range')
}

function unionDecoder(branches: readonly AvroSchema[], types: AvroNames, names: ReadonlyMap<number, string>): Decode {
  const decoders = branches.map((branch) => decoderOf(branch, types, names))
  return (cursor) => (decoders[cursor.length()] ?? fail('an index of an Avro union is out of range'))(cursor)
}

function fail(message: string): never {
  throw new AvroError(message)
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, index) => byte === b[index])
