import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const directory = join(import.meta.dirname, '../../fixtures/types')

/** A type with the values that are sent. fixtures/types/README.md explains each list. */
export type CorpusType = {
  /** The type in the form that `create table` takes. */
  readonly type: string
  /** The file that contains it. */
  readonly family: string
  /** The number in the names of its tables and columns. */
  readonly number: number
  /** Texts that Postgres accepts as values. */
  readonly values: readonly string[]
  readonly stops: readonly string[]
  readonly keyStops: readonly string[]
  /** An expression for a value that Postgres stores apart from its row. */
  readonly large: string | undefined
}

type Value = string | { prefix?: string; repeat: string; times: number }
type Entry = {
  type: string
  values: Value[]
  stops?: string[]
  keyStops?: string[]
  large?: string
}

/** Reads fixtures/types. */
export function readCorpus(): CorpusType[] {
  const files = readdirSync(directory).filter((name) => name.endsWith('.json'))
  const entries = files.sort().flatMap((name) => {
    const parsed = JSON.parse(readFileSync(join(directory, name), 'utf8')) as Entry[]
    return parsed.map((entry) => ({ ...entry, family: name.slice(0, -'.json'.length) }))
  })
  return entries.map(({ type, family, values, stops = [], keyStops = [], large }, number) => {
    return { type, family, number, values: values.map(textOf), stops, keyStops, large }
  })
}

/** The SQL that makes the types and extensions of the corpus. */
export const readTypeDefinitions = (): string => readFileSync(join(directory, 'types.sql'), 'utf8')

const textOf = (value: Value): string =>
  typeof value === 'string' ? value : (value.prefix ?? '') + value.repeat.repeat(value.times)
