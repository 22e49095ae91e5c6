import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type FinishedProcess, MissingProgramError, runToEnd } from '#localstack/processes/finished-process.ts'
import { repository } from '#localstack/settings.ts'

/** The folder of engines that read the archive. All stacks share it, whatever their directory is. */
export const readersDirectory = join(repository, '.tidemark', 'readers')

/** Options of an installation: its folder, its progress messages, and the signal that aborts it. */
export type InstallOptions = {
  readonly directory?: string
  /** Gets a line of text for the user. It is called only when there is something to install. */
  readonly onProgress?: (detail: string) => void
  readonly signal?: AbortSignal
}

const manifest = join(import.meta.dirname, 'chdb')
const SAY_EVERY_MS = 5_000

/**
 * Installs ClickHouse as the npm package chdb, in the version and with the checksums of the committed lock file. npm
 * runs only when the package is missing. It is not a dependency of the project, because it would add 550 MB to every
 * install. Returns the folder whose node_modules contains it. Two processes may call this at the same time. Throws an
 * Error that says what to do.
 */
export async function installChdb(options: InstallOptions = {}): Promise<string> {
  const { directory = readersDirectory, onProgress = () => undefined, signal } = options
  const platform = `${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`
  const lock = await readFile(join(manifest, 'package-lock.json'), 'utf8')
  const home = join(directory, `chdb-${createHash('sha256').update(lock).digest('hex').slice(0, 12)}`)
  const library = join('node_modules', '@chdb', `lib-${platform}`)
  if (await exists(join(home, library))) return home

  await mkdir(directory, { recursive: true })
  const fresh = await mkdtemp(join(directory, 'new-'))
  try {
    await copyFile(join(manifest, 'package.json'), join(fresh, 'package.json'))
    // npm does not install a platform's library that the lock file does not list. On such a platform only the version
    // is fixed, not the checksums.
    if (lock.includes(`@chdb/lib-${platform}"`))
      await copyFile(join(manifest, 'package-lock.json'), join(fresh, 'package-lock.json'))
    await reportInstallation('ClickHouse (550 MB on the disk)', onProgress, () =>
      npmInstall('ClickHouse', fresh, signal),
    )
    if (!(await exists(join(fresh, library)))) throw new Error(`ClickHouse has no library for ${platform}`)
    await replace(home, fresh)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return home
}

/** Reports what is being installed, at once and then every few seconds until `work` has ended. */
export async function reportInstallation(
  what: string,
  onProgress: (detail: string) => void,
  work: () => Promise<void>,
): Promise<void> {
  const startedAt = Date.now()
  const seconds = () => Math.round((Date.now() - startedAt) / 1000)
  onProgress(`Installing ${what} …`)
  const timer = setInterval(() => onProgress(`  still installing, ${seconds()} s`), SAY_EVERY_MS)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  onProgress(`Installed in ${seconds()} s.`)
}

/**
 * Runs npm install in a directory, for the dependencies of its package.json. Throws an Error with the likely reason.
 */
export async function npmInstall(what: string, directory: string, signal: AbortSignal | undefined): Promise<void> {
  // `npm run` sets npm_execpath to the npm that the user started. Without it the npm on the PATH is used.
  const npm = process.env['npm_execpath']
  const [file, before] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  const args = [...before, 'install', '--ignore-scripts', '--prefer-offline', ...quiet]
  const finished = await runToEnd(file, args, { cwd: directory, ...(signal && { signal }) }).catch((cause) => {
    if (cause instanceof MissingProgramError) throw new Error('npm is needed and not on the PATH', { cause })
    throw cause
  })
  requireSuccess(what, 'npm', finished)
}

/** Throws an Error with the likely reason and the last lines of the installer's output, when it did not succeed. */
export function requireSuccess(what: string, installer: string, { code, output }: FinishedProcess): void {
  if (code === 0) return
  const last = output.trim().split('\n').slice(-8).join('\n')
  const reason = /ENOSPC|No space left/.test(output)
    ? 'the disk is full'
    : /ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ENETUNREACH|Temporary failure|NewConnectionError|ConnectTimeout/i.test(
          output,
        )
      ? `it could not be downloaded: check the network, or the registry and proxy of ${installer}`
      : `${installer} ended with exit code ${code}`
  throw new Error(`${what} was not installed: ${reason}. The last of what ${installer} said:\n${last}`)
}

/**
 * Renames `fresh` to `home`. When another process has made `home` meanwhile, that one is kept, because its content is
 * the same.
 */
export async function replace(home: string, fresh: string): Promise<void> {
  try {
    await rename(fresh, home)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** Whether a file or folder of that name exists. */
export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
