import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchResult } from './bench-command.ts'

const directory = join(import.meta.dirname, 'results')

/** Separates the arguments that say where a result goes from those of the measurement, which are saved with it. */
export const splitArguments = (argv: readonly string[]) => ({
  isSaved: argv.includes('--save'),
  isJson: argv.includes('--json'),
  given: argv.filter((argument) => argument !== '--save' && argument !== '--json'),
})

/** Saves a result. One with the same name is replaced. */
export async function saveResult(file: string, result: BenchResult): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, `${file}.json`), `${JSON.stringify(result, null, 2)}\n`)
}

/** The saved results by their file's name without its ending, in the order of the names. */
export async function readResults(): Promise<Map<string, BenchResult>> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.json')).toSorted()
  const found = await Promise.all(
    names.map(async (name) => {
      const result = JSON.parse(await readFile(join(directory, name), 'utf8')) as BenchResult
      return [name.slice(0, -'.json'.length), result] as const
    }),
  )
  return new Map(found)
}
