import * as v from 'valibot'

const names = v.optional(v.array(v.string()), [])

/** Which tables and columns of the source are captured. */
export const captured = v.object({
  schemas: names,
  /** `schema.table`; an empty list means every table of the schemas, including tables that are created later. */
  includeTables: names,
  /** `schema.table`. */
  excludeTables: names,
  /** `schema.table.column`. */
  excludeColumns: names,
})

export type Captured = v.InferOutput<typeof captured>

/**
 * Debezium's patterns for the captured tables: regular expressions that must match `schema.table` as a whole. Commas in
 * them are escaped. A table that is created later in a captured schema matches without a new configuration.
 */
export function tablePatterns({ schemas, includeTables, excludeTables }: Captured): string[] {
  if (includeTables.length > 0) return includeTables.filter((name) => !excludeTables.includes(name)).map(literally)
  const excluded = excludeTables.map((name) => `(?!${literally(name)}$)`).join('')
  return schemas.map((schema) => `${excluded}${literally(schema)}\\..*`)
}

/**
 * A pattern that matches this text only. Commas are escaped too, because Debezium splits a list at each comma without a
 * backslash before it.
 */
export const literally = (text: string): string => text.replaceAll(/[^A-Za-z0-9_]/g, '\\$&')
