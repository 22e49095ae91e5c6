import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type DeployedFile,
  type Deployment,
  deployDefinitions,
  RefusedDefinitionError,
} from '#adapters/postgres/windows/deploy-definitions.ts'
import {
  checkDefinitions,
  DefinitionError,
  type DefinitionFile,
  readDefinitionFiles,
} from '#cdk/windows/definition-files.ts'
import { findEngine } from '#localstack/engine.ts'
import { readSettings } from '#localstack/settings.ts'
import { formatQuantity } from '#terminal/quantities.ts'
import { UsageError } from '#terminal/usage-error.ts'
import type { WindowsArguments } from './windows-arguments.ts'
import { withTarget } from './windows-databases.ts'

const project = join(import.meta.dirname, '../..')

/** Checks files, or those of `windows/`, by themselves and, where there is a target, by its columns and functions. */
export async function checkFiles({ words, json, ...given }: WindowsArguments): Promise<number> {
  const files = readFiles(words)
  const isThere = given.target !== undefined || (await findEngine(readSettings(process.env))) !== undefined
  if (isThere) await withTarget(given, (client) => deployFiles(client, files, { keep: false }))
  const by = isThere ? 'the files and the target' : 'the files: no stack runs here whose target could check columns'
  if (json) console.log(JSON.stringify({ definitions: files.map(({ name }) => name), target: isThere }))
  else console.log(`${formatQuantity(files.length, 'definition')} well, by ${by}.`)
  return 0
}

/** Reads files, or those of `windows/`. A wrong one is a wrong argument. */
export function readFiles(words: readonly string[]): readonly (DeployedFile & { readonly name: string })[] {
  const asDeployed = (definition: DefinitionFile, file: string) => ({ ...definition, file })
  try {
    if (words.length === 0) {
      return readDefinitionFiles(project).map((each) => asDeployed(each, `windows/${each.name}.sql`))
    }
    const files = words.map((file) => ({ file, text: readFileSync(file, 'utf8') }))
    return checkDefinitions(files).map((each, index) => asDeployed(each, words[index]!))
  } catch (error) {
    if (error instanceof DefinitionError || (error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new UsageError((error as Error).message)
    }
    throw error
  }
}

/** Deploys definitions to the target (`deployDefinitions`). One that Postgres refuses is a wrong argument. */
export async function deployFiles(...given: Parameters<typeof deployDefinitions>): Promise<Deployment> {
  try {
    return await deployDefinitions(...given)
  } catch (error) {
    if (error instanceof RefusedDefinitionError) throw new UsageError(error.message)
    throw error
  }
}
