import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  exists,
  type InstallOptions,
  readersDirectory,
  replace,
  reportInstallation,
  requireSuccess,
} from '#localstack/archive-readers/install-chdb.ts'
import { MissingProgramError, runToEnd } from '#localstack/processes/finished-process.ts'

/** The contents of a Python environment. */
export type PythonEnvironmentOptions = InstallOptions & {
  /** What is installed and how large it is, as text for the user. */
  readonly what: string
  /** Path of a requirements.txt that has the version and checksum of every package. */
  readonly requirements: string
  /** Called with a fresh environment after its packages were installed. */
  readonly finish?: (home: string) => Promise<void>
}

const OLDEST = [3, 11] as const

/** Whether `python3` on the PATH is recent enough; if not, with the reason. */
export async function findPython(): Promise<{ found: true } | { found: false; reason: string }> {
  const needed = `Python ${OLDEST.join('.')} or later is needed`
  try {
    const { output } = await runToEnd('python3', ['--version'])
    const [, major, minor] = /^Python (\d+)\.(\d+)/.exec(output) ?? []
    const found = Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])
    return found ? { found } : { found, reason: `${needed}, found is ${output.trim()}` }
  } catch (error) {
    if (error instanceof MissingProgramError) return { found: false, reason: `${needed}, python3 is not on the PATH` }
    throw error
  }
}

/**
 * The directory of an environment with packages of the committed versions and checksums, which is made if it is
 * missing. Two processes may call this at the same time. Throws an Error that says what to do.
 */
export async function openPythonEnvironment(options: PythonEnvironmentOptions): Promise<string> {
  const { what, requirements, finish, directory = readersDirectory, onProgress = () => undefined, signal } = options
  const list = await readFile(requirements)
  const home = join(directory, `python-${createHash('sha256').update(list).digest('hex').slice(0, 12)}`)
  if (await exists(home)) return home
  const python = await findPython()
  if (!python.found) throw new Error(python.reason)
  await mkdir(directory, { recursive: true })
  const fresh = await mkdtemp(join(directory, 'new-'))
  try {
    await reportInstallation(what, onProgress, () => fill(fresh, what, requirements, signal))
    await finish?.(fresh)
    await replace(home, fresh)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return home
}

/**
 * After the environment is moved, only its `python` works, because the other programs contain the path where they were
 * made.
 */
async function fill(home: string, what: string, requirements: string, signal: AbortSignal | undefined): Promise<void> {
  const run = async (installer: string, file: string, args: readonly string[]) =>
    requireSuccess(what, installer, await runToEnd(file, args, signal && { signal }))
  await run('venv', 'python3', ['-m', 'venv', home])
  const strict = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--no-compile']
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input']
  await run('pip', join(home, 'bin/python'), ['-m', 'pip', 'install', ...strict, ...quiet, '-r', requirements])
}
