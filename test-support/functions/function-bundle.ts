import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { FunctionDefinition } from '#localstack/lambda-host/bundle/function-definition.ts'

/** Bundles of test functions, each in a directory of its own. `remove` deletes all of them. */
export type FunctionBundles = {
  /** The definition of a function whose module is `source`, which must export `handler`. */
  write(name: string, source: string, overrides?: Partial<FunctionDefinition>): Promise<FunctionDefinition>
  /** The definition of a function whose bundle is these files, from path to text. */
  writeFiles(
    name: string,
    files: Record<string, string>,
    overrides?: Partial<FunctionDefinition>,
  ): Promise<FunctionDefinition>
  remove(): Promise<void>
}

/** Starts without bundles. Functions get 128 MB and 10 s by default. */
export function makeFunctionBundles(): FunctionBundles {
  const directories: string[] = []

  async function writeFiles(
    name: string,
    files: Record<string, string>,
    overrides?: Partial<FunctionDefinition>,
  ): Promise<FunctionDefinition> {
    const codeDirectory = await mkdtemp(join(tmpdir(), `function-${name}-`))
    directories.push(codeDirectory)
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(codeDirectory, path)), { recursive: true })
      await writeFile(join(codeDirectory, path), text)
    }
    const arn = `arn:aws:lambda:eu-central-1:000000000000:function:${name}`
    const usual = { handler: 'index.handler', environment: {}, timeoutSeconds: 10, memoryMb: 128 }
    return { name, arn, codeDirectory, ...usual, ...overrides }
  }

  return {
    write: (name, source, overrides) => writeFiles(name, { 'index.mjs': source }, overrides),
    writeFiles,
    async remove() {
      await Promise.all(directories.map((directory) => rm(directory, { recursive: true })))
    },
  }
}
