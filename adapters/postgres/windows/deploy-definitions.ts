import type { ClientBase } from 'pg'
import type { WindowDefinition } from '#core/windows/definition.ts'
import { describeProblem } from '#core/windows/definition-problem.ts'
import { lineOfName } from '#core/windows/named-line.ts'
import { definitionJson } from '#core/windows/stored-definition.ts'

/** A definition, its text, and the file that it comes from. */
export type DeployedFile = { readonly file: string; readonly text: string; readonly definition: WindowDefinition }

/** Names of definitions that are new or have another text, and of those that are gone. */
export type Deployment = { readonly changed: readonly string[]; readonly removed: readonly string[] }

/** Postgres refuses a definition. The message has file, line and reason. */
export class RefusedDefinitionError extends Error {
  override readonly name = 'RefusedDefinitionError'
}

/**
 * Makes the definitions of the target these, in one transaction: it changes all or nothing. One whose text is that of the
 * target stays as it is. With `keep: false`, everything is checked and nothing is changed. Throws a RefusedDefinitionError
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
  const known = await readTexts(client)
  const changed = files.filter(({ definition, text }) => known.get(definition.name) !== text)
  const names = new Set(files.map(({ definition }) => definition.name))
  const removed = [...known.keys()].filter((name) => !names.has(name))
  for (const name of removed) await client.query('select tidemark.remove_window($1)', [name])
  for (const each of changed) await putDefinition(client, each)
  return { changed: changed.map(({ definition }) => definition.name), removed }
}

/** The newest text of each definition. */
async function readTexts(client: ClientBase): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ name: string; text: string }>(
    'select distinct on (name) name, text from tidemark.window_definition order by name, id desc',
  )
  return new Map(rows.map(({ name, text }) => [name, text]))
}

async function putDefinition(client: ClientBase, { file, text, definition }: DeployedFile): Promise<void> {
  try {
    await client.query('select tidemark.put_window($1, $2, $3)', [definition.name, text, definitionJson(definition)])
  } catch (error) {
    const reason = (error as Error).message
    throw new RefusedDefinitionError(describeProblem({ file, line: lineOfName(text, reason), reason }), {
      cause: error,
    })
  }
}
