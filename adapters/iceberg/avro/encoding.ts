import type { AvroBuffer } from './buffer.ts'
import {
  type AvroEnum,
  AvroError,
  type AvroFixed,
  type AvroMap,
  AvroNames,
  type AvroRecord,
  type AvroSchema,
  type AvroValue,
} from './schema.ts'

type Encode = (out: AvroBuffer, value: AvroValue) => void

/** The encoder of a schema. It throws an AvroError that names the field if a value does not fit. */
export function encodeAvro(schema: AvroSchema): (out: AvroBuffer, value: AvroValue) => void {
  return encoderOf(schema, new AvroNames(), '')
}

function encoderOf(schema: AvroSchema, names: AvroNames, path: string): Encode {
  if (Array.isArray(schema)) return unionEncoder(schema as readonly AvroSchema[], names, path)
  if (typeof schema === 'string') return primitiveEncoder(schema, path) ?? encoderOf(names.resolve(schema), names, path)
  const type = schema as Exclude<AvroSchema, string | readonly AvroSchema[]>
  switch (type.type) {
    case 'record':
      names.define(type as AvroRecord)
      return recordEncoder(type as AvroRecord, names, path)
    case 'array':
      return arrayEncoder(encoderOf((type as { items: AvroSchema }).items, names, `${path}[]`), path)
    case 'map':
      return mapEncoder(encoderOf((type as AvroMap).values, names, `${path}{}`), path)
    case 'fixed':
      names.define(type as AvroFixed)
      return fixedEncoder(type as AvroFixed, path)
    case 'enum':
      names.define(type as AvroEnum)
      return enumEncoder(type as AvroEnum, path)
    default:
      return encoderOf(type.type, names, path)
  }
}

function primitiveEncoder(type: string, path: string): Encode | undefined {
  const encode = primitives[type]
  if (encode === undefined) return undefined
  const { fits } = encode
  return (out, value) => {
    if (!fits(value)) throw unfit(value, type, path)
    encode.write(out, value as never)
  }
}

type Primitive = { fits: (value: AvroValue) => boolean; write: (out: AvroBuffer, value: never) => void }

const isInt = (value: AvroValue) => typeof value === 'number' && value === (value | 0)
const isNumber = (value: AvroValue) => typeof value === 'number'

const primitives: Readonly<Record<string, Primitive | undefined>> = {
  null: { fits: (value) => value === null, write: () => {} },
  boolean: {
    fits: (value) => typeof value === 'boolean',
    write: (out, value: boolean) => out.byte(value ? 1 : 0),
  },
  int: { fits: isInt, write: (out, value: number) => out.long(value) },
  long: { fits: isLong, write: (out, value: number | bigint) => out.long(value) },
  float: { fits: isNumber, write: (out, value: number) => out.float(value) },
  double: { fits: isNumber, write: (out, value: number) => out.double(value) },
  bytes: { fits: (value) => value instanceof Uint8Array, write: (out, value: Uint8Array) => out.bytes(value) },
  string: { fits: (value) => typeof value === 'string', write: (out, value: string) => out.string(value) },
}

/**
 * A number that is not a safe integer is refused, because it may have been rounded before, and would be written as if
 * it were exact.
 */
function isLong(value: AvroValue): boolean {
  return typeof value === 'bigint' ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value)
}

function recordEncoder({ name, fields }: AvroRecord, names: AvroNames, path: string): Encode {
  const encoders = fields.map((field) => ({
    name: field.name,
    encode: encoderOf(field.type, names, path === '' ? field.name : `${path}.${field.name}`),
  }))
  return (out, value) => {
    if (!isRecord(value)) throw unfit(value, name, path)
    for (const field of encoders) field.encode(out, value[field.name] ?? null)
  }
}

function arrayEncoder(encode: Encode, path: string): Encode {
  return (out, value) => {
    if (!Array.isArray(value)) throw unfit(value, 'array', path)
    if (value.length > 0) out.long(value.length)
    for (const item of value) encode(out, item)
    out.long(0)
  }
}

function mapEncoder(encode: Encode, path: string): Encode {
  return (out, value) => {
    if (!isRecord(value)) throw unfit(value, 'map', path)
    const entries = Object.entries(value)
    if (entries.length > 0) out.long(entries.length)
    for (const [key, item] of entries) {
      out.string(key)
      encode(out, item)
    }
    out.long(0)
  }
}

function fixedEncoder({ name, size }: AvroFixed, path: string): Encode {
  return (out, value) => {
    if (!(value instanceof Uint8Array) || value.length !== size) throw unfit(value, `${name} of ${size} bytes`, path)
    out.raw(value)
  }
}

function enumEncoder({ name, symbols }: AvroEnum, path: string): Encode {
  return (out, value) => {
    const index = symbols.indexOf(value as string)
    if (index < 0) throw unfit(value, name, path)
    out.long(index)
  }
}

function unionEncoder(branches: readonly AvroSchema[], names: AvroNames, path: string): Encode {
  const encoders = branches.map((branch) => ({
    encode: encoderOf(branch, names, path),
    fits: fitOf(branch, names),
  }))
  return (out, value) => {
    const index = encoders.findIndex(({ fits }) => fits(value))
    if (index < 0) throw unfit(value, JSON.stringify(branches), path)
    out.long(index)
    encoders[index]!.encode(out, value)
  }
}

/** Whether the kind of a value fits a branch of a union. The first branch that fits is used. */
function fitOf(schema: AvroSchema, names: AvroNames): (value: AvroValue) => boolean {
  if (typeof schema === 'string') return primitives[schema]?.fits ?? fitOf(names.resolve(schema), names)
  const type = schema as Exclude<AvroSchema, string | readonly AvroSchema[]>
  switch (type.type) {
    case 'record':
    case 'map':
      return isRecord
    case 'array':
      return Array.isArray
    case 'fixed':
      return (value) => value instanceof Uint8Array && value.length === (type as AvroFixed).size
    case 'enum':
      return (value) => (type as AvroEnum).symbols.includes(value as string)
    default:
      return fitOf(type.type, names)
  }
}

const isRecord = (value: AvroValue): value is { readonly [field: string]: AvroValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

function unfit(value: AvroValue, type: string, path: string): AvroError {
  const shown = typeof value === 'object' && value !== null ? 'an object' : String(value)
  return new AvroError(`${path === '' ? 'record' : path}: ${shown} is no Avro ${type}`)
}
