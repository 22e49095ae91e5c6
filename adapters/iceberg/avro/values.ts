import { AvroError, type AvroValue } from './schema.ts'

/** A record of a decoded Avro file, by field name. */
export type AvroFields = { readonly [field: string]: AvroValue | undefined }

/** The value as a record. Throws an AvroError if it is not a record. */
export function fieldsOf(value: AvroValue | undefined, name: string): AvroFields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
    return value as AvroFields
  }
  throw new AvroError(`${name} is missing`)
}

/** A required number that must be exact. `otherwise` is for fields that older files do not have. */
export function numberOf(fields: AvroFields, name: string, otherwise?: number): number {
  const value = fields[name] ?? otherwise
  if (typeof value === 'number') return value
  throw new AvroError(`${name} is ${value === undefined ? 'missing' : 'no exact number'}`)
}

/** A required string. */
export function stringOf(fields: AvroFields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string') return value
  throw new AvroError(`${name} is missing`)
}

/** A long of 64 bits, or null. */
export function longOrNull(fields: AvroFields, name: string): bigint | null {
  const value = fields[name]
  return typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : null
}

/** An object with the optional field, or without it if its value is null. */
export function optionalOf<K extends string, V>(
  fields: AvroFields,
  name: K,
  read: (value: AvroValue) => V,
): { readonly [name in K]?: V } {
  const value = fields[name]
  return value === null || value === undefined ? {} : ({ [name]: read(value) } as { [name in K]: V })
}

/** An array whose items are records. Throws an AvroError for anything else. */
export function recordsOf(value: AvroValue, name: string): AvroFields[] {
  if (!Array.isArray(value)) throw new AvroError(`${name} is not an array`)
  return value.map((item: AvroValue) => fieldsOf(item, name))
}
