import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { WindowDefinition } from '#core/windows/definition.ts'
import { describeProblem } from '#core/windows/definition-problem.ts'
import { parseDefinitions } from '#core/windows/parse-definition.ts'

/** A file of `windows/`, and what it says. */
export type DefinitionFile = { readonly name: string; readonly text: string; readonly definition: WindowDefinition }

/** The folder of a project in which its definitions are. */
export const DEFINITIONS = 'windows'

/** A file of `windows/` is no definition. The message has a line for each problem: file, line and reason. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError'
}

/**
 * A CloudFormation template has at most a megabyte, and a function gets its properties in an event of at most 256 kB.
 */
const MOST_CHARACTERS = 150_000

/**
 * Reads the definitions of a project, by name; none when it has no such folder. Throws a DefinitionError that names every
 * problem of every file, so that nothing is deployed.
 */
export function readDefinitionFiles(project: string): readonly DefinitionFile[] {
  return checkDefinitions(
    namesIn(join(project, DEFINITIONS)).map((name) => ({
      file: `${DEFINITIONS}/${name}`,
      text: readFileSync(join(project, DEFINITIONS, name), 'utf8'),
    })),
  )
}

/** Reads these texts as definitions. Throws a DefinitionError. */
export function checkDefinitions(
  files: readonly { readonly file: string; readonly text: string }[],
): readonly DefinitionFile[] {
  const parsed = parseDefinitions(files)
  if (parsed.kind === 'refused') throw new DefinitionError(parsed.problems.map(describeProblem).join('\n'))
  const characters = files.reduce((sum, { text }) => sum + text.length, 0)
  if (characters > MOST_CHARACTERS) {
    throw new DefinitionError(
      `${DEFINITIONS}/ has ${characters} characters, and definitions are deployed with at most ${MOST_CHARACTERS}`,
    )
  }
  return parsed.definitions.map((definition, index) => ({
    name: definition.name,
    text: files[index]!.text,
    definition,
  }))
}

/** Files that begin with a dot are left out: editors make them. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && entry.name.endsWith('.sql'))
      .map(({ name }) => name)
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
