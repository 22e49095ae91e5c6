import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type FinishedProcess, MissingProgramError, runToEnd } from '#localstack/processes/finished-process.ts'
import { repository } from '#localstack/settings.ts'

/** Where engines that read the archive are installed, the same for every directory a stack is kept in. */
export const readersDirectory = join(repository, '.tidemark', 'readers')

/** Who hears what is installed, and what ends it. */
export type InstallOptions = {
  readonly directory?: string
  /** A line of text, for a person; called only when there is something to install. */
  readonly onProgress?: (detail: string) => void
  readonly signal?: AbortSignal
}

const manifest = join(import.meta.dirname, 'chdb')
const SAY_EVERY_MS = 5_000

/**
 * ClickHouse as the npm package chdb, of the committed lock file's version and checksums; npm is asked only when it is not
 * there. It is no dependency of the project: 550 MB would be in every install. Returns the folder whose node_modules has
 * it. Safe against another process doing the same. Throws an Error that says what to do.
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
    // A lock file that does not know a platform's library keeps npm from installing it: there, the version alone decides.
    if (lock.includes(`@chdb/lib-${platform}"`))
      await copyFile(join(manifest, 'package-lock.json'), join(fresh, 'package-lock.json'))
    await telling('ClickHouse (550 MB on the disk)', onProgress, () => npmInstall('ClickHouse', fresh, signal))
    if (!(await exists(join(fresh, library)))) throw new Error(`ClickHouse has no library for ${platform}`)
    await replace(home, fresh)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return home
}

/** Says what is installed, and every few seconds that it still is. */
export async function telling(
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

/** Has npm install what the package.json of a directory asks for. Throws an Error of the likely reason. */
export async function npmInstall(what: string, directory: string, signal: AbortSignal | undefined): Promise<void> {
  // Under `npm run` it is the npm the user started, otherwise the one on the PATH.
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

/** Throws an Error of the likely reason, with the last of what the installer printed. */
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

/** Another process may have been faster: what it made is the same. */
export async function replace(home: string, fresh: string): Promise<void> {
  try {
    await rename(fresh, home)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** Whether there is a file or folder of that name. */
export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
