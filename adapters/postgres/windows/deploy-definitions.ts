import type { ClientBase, DatabaseError } from 'pg'
import type { WindowDefinition } from '#core/windows/definition.ts'
import { describeProblem } from '#core/windows/definition-problem.ts'
import { lineOfName } from '#core/windows/named-line.ts'
import { definitionJson } from '#core/windows/stored-definition.ts'

/** A definition, its text, and the file that it comes from. */
export type DeployedFile = { readonly file: string; readonly text: string; readonly definition: WindowDefinition }

/** Names of definitions that are new, have changed or begin again, and of those that are gone. */
export type Deployment = { readonly changed: readonly string[]; readonly removed: readonly string[] }

/** Postgres refuses a definition. The message has file, line and reason. */
export class RefusedDefinitionError extends Error {
  override readonly name = 'RefusedDefinitionError'
}

/**
 * Makes the definitions of the target these, in one transaction: it changes all or nothing. One that says what the target
 * has stays as it is, unless it is stopped. With `keep: false`, everything is checked and nothing is changed. Throws a RefusedDefinitionError
 * for the first definition that Postgres refuses. The client is the administrator's, and is in no transaction.
 */
export async function deployDefinitions(
  client: ClientBase,
  files: readonly DeployedFile[],
  { keep = true }: { keep?: boolean } = {},
): Promise<Deployment> {
  await client.query('begin')
  try {
    const deployment = await replaceDefinitions(client, files)
    await client.query(keep ? 'commit' : 'rollback')
    return deployment
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

async function replaceDefinitions(client: ClientBase, files: readonly DeployedFile[]): Promise<Deployment> {
  const names = new Set(files.map(({ definition }) => definition.name))
  const known = await client.query<{ name: string }>(
    'select distinct name from tidemark.window_definition order by name',
  )
  const removed = known.rows.map(({ name }) => name).filter((name) => !names.has(name))
  for (const name of removed) await removeDefinition(client, name)
  const changed: string[] = []
  for (const each of files) if (await putDefinition(client, each)) changed.push(each.definition.name)
  return { changed, removed }
}

/** What users made on top of its view is not dropped. */
async function removeDefinition(client: ClientBase, name: string): Promise<void> {
  try {
    await client.query('select tidemark.remove_window($1)', [name])
  } catch (error) {
    const { message, detail = '' } = error as DatabaseError
    throw new RefusedDefinitionError(
      `the definition ${name} has no file any more, and its result cannot be dropped: ${message}. ${detail}`,
      { cause: error },
    )
  }
}

/** Whether it is new or has changed. One that is stopped is begun again. */
async function putDefinition(client: ClientBase, { file, text, definition }: DeployedFile): Promise<boolean> {
  try {
    const { rows } = await client.query<{ outcome: 'new' | 'changed' | 'unchanged' }>(
      `select tidemark.put_window($1, $2, $3) ->> 'outcome' as outcome`,
      [definition.name, text, definitionJson(definition)],
    )
    return rows[0]!.outcome !== 'unchanged'
  } catch (error) {
    const reason = (error as Error).message
    throw new RefusedDefinitionError(describeProblem({ file, line: lineOfName(text, reason), reason }), {
      cause: error,
    })
  }
}
