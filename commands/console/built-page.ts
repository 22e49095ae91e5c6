import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type PageFiles, readPageFiles } from '#localstack/console/page-files.ts'
import { ownDirectory } from '#localstack/settings.ts'
import { buildConsole, hashSources } from '../../console/build.ts'

/** The built pages, each under the hash of what it was made of. */
const pages = join(ownDirectory, 'console')

/**
 * The page of this checkout. It is built if it was not built before, or if its sources have changed since, which takes
 * some seconds.
 */
export async function openBuiltPage(): Promise<PageFiles> {
  const directory = join(pages, (await hashSources()).slice(0, 16))
  return readPageFiles(directory).catch(async () => {
    await build(directory)
    return readPageFiles(directory)
  })
}

/** The page appears by one rename, so that another console which starts at the same time reads no half of it. */
async function build(directory: string): Promise<void> {
  await mkdir(pages, { recursive: true })
  const fresh = await mkdtemp(join(pages, '.building-'))
  try {
    await buildConsole(fresh)
    await rename(fresh, directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  await removeOlder(directory)
}

/** Keeps only a few pages, of checkouts between which a developer goes back and forth. */
const KEPT = 3

async function removeOlder(newest: string): Promise<void> {
  const names = (await readdir(pages)).filter((name) => !name.startsWith('.') && join(pages, name) !== newest)
  for (const name of names.slice(KEPT - 1)) await rm(join(pages, name), { recursive: true, force: true })
}
