import * as v from 'valibot'

const names = v.optional(v.array(v.string()), [])

/** Which tables and columns of the source are captured. */
export const captured = v.object({
  schemas: names,
  /** `schema.table`; none means every table of the schemas, those created later too. */
  includeTables: names,
  /** `schema.table`. */
  excludeTables: names,
  /** `schema.table.column`. */
  excludeColumns: names,
})

export type Captured = v.InferOutput<typeof captured>

/**
 * Debezium's patterns for the captured tables: comma-free regular expressions that must match `schema.table` as a whole.
 * A table created later in a captured schema matches without a new configuration.
 */
export function tablePatterns({ schemas, includeTables, excludeTables }: Captured): string[] {
  if (includeTables.length > 0) return includeTables.filter((name) => !excludeTables.includes(name)).map(literally)
  const excluded = excludeTables.map((name) => `(?!${literally(name)}$)`).join('')
  return schemas.map((schema) => `${excluded}${literally(schema)}\\..*`)
}

/** A pattern that matches this text only. Debezium splits lists at commas that no backslash precedes. */
export const literally = (text: string): string => text.replaceAll(/[^A-Za-z0-9_]/g, '\\$&')
