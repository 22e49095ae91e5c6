import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exists, replace, requireSuccess } from '#localstack/archive-readers/install-chdb.ts'
import { MissingProgramError, type RunOptions, runToEnd } from '#localstack/processes/finished-process.ts'
import { repository } from '#localstack/settings.ts'

/** The list of packages for each Python version on which LocalStack runs. The first version that is found is used. */
const locks = {
  '3.13': 'requirements-3.13.lock',
  '3.12': 'requirements-3.11.lock',
  '3.11': 'requirements-3.11.lock',
} as const

type PythonVersion = keyof typeof locks

/** An installed Python. */
export type Python = { program: string; version: PythonVersion }

/** Directory of the extension that runs within LocalStack, and of the lists of packages. */
export const extensionDirectory = join(import.meta.dirname, '..', 'python')

/** Where LocalStack is installed. All stacks share it, whatever their directory is. */
export const installationDirectory = join(repository, '.tidemark', 'localstack-python')

/** Finds Python 3.13, 3.12 or 3.11 on the PATH. Throws an Error of one line that says what to install. */
export async function findPython(environment: NodeJS.ProcessEnv): Promise<Python> {
  const found: string[] = []
  for (const program of [...Object.keys(locks).map((version) => `python${version}`), 'python3']) {
    const output = await versionOf(program, environment)
    const version = /^Python (\d+\.\d+)\./.exec(output ?? '')?.[1]
    if (version !== undefined && version in locks) return { program, version: version as PythonVersion }
    if (output !== undefined) found.push(output)
  }
  throw new Error(
    `Python 3.11, 3.12 or 3.13 is needed for LocalStack, ${found[0] ? `found is ${found[0]}` : 'none was found on the PATH'}. Install one with its venv module, e.g. "apt install python3 python3-venv" or "brew install python@3.13".`,
  )
}

/**
 * pyenv puts launchers on the PATH also for versions that are not chosen. Such a launcher ends with another exit code
 * than 0.
 */
async function versionOf(program: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    const { code, output } = await runToEnd(program, ['--version'], { env })
    return code === 0 ? output.trim() : undefined
  } catch (error) {
    if (error instanceof MissingProgramError) return undefined
    throw error
  }
}

export type InstallOptions = Pick<RunOptions, 'signal' | 'guard'> & { report: (detail: string) => void }

/**
 * Path of the Python in an environment that contains LocalStack, in the committed versions and with their checksums.
 * The environment is made if it is missing, with pip's own settings. Two processes may call this at the same time.
 * Throws an Error that says what to do.
 */
export async function installLocalStack({ program, version }: Python, options: InstallOptions): Promise<string> {
  const lock = join(extensionDirectory, locks[version])
  const digest = createHash('sha256')
    .update(await readFile(lock))
    .digest('hex')
    .slice(0, 12)
  const home = join(installationDirectory, `${version}-${digest}`)
  if (!(await exists(home))) await install(home, { program, lock }, options)
  return join(home, 'bin', 'python')
}

async function install(
  home: string,
  { program, lock }: { program: string; lock: string },
  { report, ...running }: InstallOptions,
): Promise<void> {
  await mkdir(installationDirectory, { recursive: true })
  const fresh = await mkdtemp(join(installationDirectory, 'new-'))
  const run = async (installer: string, file: string, args: readonly string[]) =>
    requireSuccess('LocalStack', installer, await runToEnd(file, args, running))
  try {
    report('installing LocalStack, 500 MB on the disk')
    await run('venv', program, ['-m', 'venv', fresh])
    const quiet = ['--quiet', '--disable-pip-version-check', '--no-input']
    await run('pip', join(fresh, 'bin', 'python'), [
      ...['-m', 'pip', 'install', '--require-hashes', '--no-deps', ...quiet, '-r', lock],
    ])
    await replace(home, fresh)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}
