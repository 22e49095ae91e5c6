import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FunctionDefinition } from './function-definition.ts'
import { unpackZip } from './zip-archive.ts'

/** A function whose bundle is a directory. `remove` deletes the directory if it was made for the bundle. */
export type OpenBundle = { definition: FunctionDefinition; remove(): void }

/**
 * Unpacks a .zip under the system's temporary directory; a directory is used as it is. Throws an Error that names the
 * function when there is neither, or when the .zip is damaged.
 */
export function openBundle(definition: FunctionDefinition): OpenBundle {
  const { name, codeDirectory } = definition
  if (!existsSync(codeDirectory)) throw new Error(`function ${name}: there is no directory ${codeDirectory}`)
  if (statSync(codeDirectory).isDirectory()) return { definition, remove: () => undefined }
  const directory = mkdtempSync(join(tmpdir(), `${name}-`))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  try {
    unpackZip(codeDirectory, directory)
  } catch (cause) {
    remove()
    throw new Error(`function ${name}: ${(cause as Error).message}`, { cause })
  }
  return { definition: { ...definition, codeDirectory: directory }, remove }
}
