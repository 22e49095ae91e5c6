/** A field of an Avro record. Iceberg adds `field-id` (Appendix A of its specification). */
export type AvroField = {
  readonly name: string
  readonly type: AvroSchema
  readonly default?: unknown
  readonly doc?: string
  readonly 'field-id'?: number
  readonly 'iceberg-field-name'?: string
}

export type AvroRecord = { readonly type: 'record'; readonly name: string; readonly fields: readonly AvroField[] }

export type AvroArray = {
  readonly type: 'array'
  readonly items: AvroSchema
  readonly 'element-id'?: number
  /** `map` if the items are records of key and value, because the keys of Avro's own maps are always strings. */
  readonly logicalType?: string
}

export type AvroMap = {
  readonly type: 'map'
  readonly values: AvroSchema
  readonly 'key-id'?: number
  readonly 'value-id'?: number
}

export type AvroFixed = {
  readonly type: 'fixed'
  readonly name: string
  readonly size: number
  readonly logicalType?: string
}

export type AvroEnum = { readonly type: 'enum'; readonly name: string; readonly symbols: readonly string[] }

/** A primitive type with further attributes, such as `logicalType`. */
export type AvroAnnotated = {
  readonly type: AvroPrimitive
  readonly logicalType?: string
  readonly 'adjust-to-utc'?: boolean
}

export type AvroPrimitive = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'

/**
 * An Avro schema as JSON. An array is a union, and a string that is not a primitive type names a type that was defined
 * before.
 */
export type AvroSchema =
  | AvroPrimitive
  | (string & {})
  | readonly AvroSchema[]
  | AvroAnnotated
  | AvroRecord
  | AvroArray
  | AvroMap
  | AvroFixed
  | AvroEnum

/** A value of any Avro type. A long that is not a safe integer is a bigint, and a map with string keys is an object. */
export type AvroValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly AvroValue[]
  | { readonly [field: string]: AvroValue }

/** The four bytes at the start of every Avro object container file. */
export const AVRO_MAGIC = Uint8Array.of(0x4f, 0x62, 0x6a, 1)

/** The length of the marker between two blocks. */
export const SYNC_LENGTH = 16

export type AvroCodec = 'null' | 'deflate'

/** The bytes are not valid Avro, or a value does not fit its schema; `message` says where. */
export class AvroError extends Error {
  override readonly name = 'AvroError'
}

/** The named types of a schema, filled in the order in which they are defined. */
export class AvroNames {
  readonly #types = new Map<string, AvroSchema>()

  define(schema: (AvroRecord | AvroFixed | AvroEnum) & { readonly namespace?: string }): void {
    const { name, namespace } = schema
    this.#types.set(name, schema)
    if (namespace !== undefined) this.#types.set(`${namespace}.${name}`, schema)
  }

  /** Throws an AvroError if the name was not defined before. */
  resolve(name: string): AvroSchema {
    const schema = this.#types.get(name)
    if (schema === undefined) throw new AvroError(`Avro type '${name}' is not defined before it is used`)
    return schema
  }
}
