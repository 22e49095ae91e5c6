import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FunctionDefinition } from '#localstack/lambda-host/function-definition.ts'

/** Bundles of test functions, each a directory with an `index.mjs`; `remove` deletes all of them. */
export type FunctionBundles = {
  /** The definition of a function whose module is `source`; it must export `handler`. */
  write(name: string, source: string, overrides?: Partial<FunctionDefinition>): Promise<FunctionDefinition>
  remove(): Promise<void>
}

/** No bundles yet. Functions get 128 MB and 10 s unless told otherwise. */
export function makeFunctionBundles(): FunctionBundles {
  const directories: string[] = []
  return {
    async write(name, source, overrides) {
      const codeDirectory = await mkdtemp(join(tmpdir(), `function-${name}-`))
      directories.push(codeDirectory)
      await writeFile(join(codeDirectory, 'index.mjs'), source)
      const arn = `arn:aws:lambda:eu-central-1:000000000000:function:${name}`
      const usual = { handler: 'index.handler', environment: {}, timeoutSeconds: 10, memoryMb: 128 }
      return { name, arn, codeDirectory, ...usual, ...overrides }
    },
    async remove() {
      await Promise.all(directories.map((directory) => rm(directory, { recursive: true })))
    },
  }
}
