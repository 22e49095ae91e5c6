import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const repository = join(import.meta.dirname, '..')

/** What the page is made of. Tests are not part of it. */
const sources = ['console/**/*.{ts,tsx,css,html,svg}', 'core/console/*.ts', 'core/status/*.ts', 'package-lock.json']

const HASH_FILE = '.sources'

/**
 * Builds the page into a folder, which then has `index.html` and what it loads. It returns at once if the folder has the
 * page of the present sources. It rejects if the sources cannot be built.
 */
export async function buildConsole(outDir: string): Promise<void> {
  const hash = await hashSources()
  const hashFile = join(outDir, HASH_FILE)
  if ((await readFile(hashFile, 'utf8').catch(() => '')) === hash) return
  // Vite is loaded only here, because it takes a second of a start that has nothing to build.
  const { build } = await import('vite')
  await build({ configFile: join(import.meta.dirname, 'vite.config.ts'), build: { outDir } })
  await writeFile(hashFile, hash)
}

/** A hash that changes with the page. */
export async function hashSources(): Promise<string> {
  const hash = createHash('sha256')
  const files = globSync(sources, { cwd: repository }).filter((file) => !file.endsWith('.test.ts'))
  for (const file of files.sort())
    hash
      .update(`${file}\0`)
      .update(await readFile(join(repository, file)))
      .update('\0')
  return hash.digest('hex')
}
