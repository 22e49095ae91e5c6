import type { WindowDefinition } from '#core/windows/definition.ts'
import { parseDefinition } from '#core/windows/parse-definition.ts'
import { definitionJson } from '#core/windows/stored-definition.ts'
import type { TestDatabase } from '../databases/database.ts'

/** The definition of a text; throws what is wrong with it. */
export function definitionOf(name: string, text: string): WindowDefinition {
  const parsed = parseDefinition(`windows/${name}.sql`, text)
  if (parsed.kind === 'parsed') return parsed.definition
  throw new Error(parsed.problems.map(({ line, reason }) => `line ${line}: ${reason}`).join('\n'))
}

/** What `tidemark.put_window` did. */
export type PutResult = {
  readonly outcome: 'new' | 'changed' | 'unchanged'
  readonly id: number
  readonly state: string
  readonly reason: string | null
}

/** Puts a definition into the target. */
export async function putWindow({ pool }: Pick<TestDatabase, 'pool'>, name: string, text: string): Promise<PutResult> {
  const json = definitionJson(definitionOf(name, text))
  const { rows } = await pool.query('select tidemark.put_window($1, $2, $3::jsonb) as result', [name, text, json])
  return rows[0].result
}
