import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MissingProgramError, runToEnd } from '#localstack/servers/finished-process.ts'
import { exists, type InstallOptions, readersDirectory, replace, requireSuccess, telling } from './install-chdb.ts'

type Script = 'read-with-duckdb.py' | 'read-with-pyiceberg.py' | 'prepare-ministack.py'

/** A Python environment with pyiceberg, DuckDB and MiniStack. */
export type PythonReaders = {
  /** Path of the environment's Python. */
  readonly python: string
  /** Runs one of this project's scripts with a request, and returns the JSON that it printed. */
  ask<T>(script: Script, request: object): Promise<T>
}

const OLDEST = [3, 11] as const
const scripts = join(import.meta.dirname, 'python')
const requirements = join(scripts, 'requirements.txt')

/** Whether `python3` on the PATH is recent enough; what it said otherwise. */
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
 * The environment, with packages of the committed versions and checksums; made when it is not there. Throws an Error that
 * says what to do. Safe against another process doing the same.
 */
export async function openPythonReaders(options: InstallOptions = {}): Promise<PythonReaders> {
  const home = await installPythonReaders(options)
  const python = join(home, 'bin/python')
  return {
    python,
    async ask(script, request) {
      // An account of the person's own must not decide what is read.
      const env = { PATH: process.env['PATH'], HOME: home, PYTHONDONTWRITEBYTECODE: '1' }
      const args = [join(scripts, script), JSON.stringify(request)]
      const { code, output } = await runToEnd(python, args, { env })
      if (code !== 0) throw new Error(`${script} ended with exit code ${code}:\n${output}`)
      return JSON.parse(output.trim().split('\n').at(-1)!)
    },
  }
}

async function installPythonReaders(options: InstallOptions): Promise<string> {
  const { directory = readersDirectory, onProgress = () => undefined, signal } = options
  const list = await readFile(requirements)
  const home = join(directory, `python-${createHash('sha256').update(list).digest('hex').slice(0, 12)}`)
  if (await exists(home)) return home
  const python = await findPython()
  if (!python.found) throw new Error(python.reason)
  await mkdir(directory, { recursive: true })
  const fresh = await mkdtemp(join(directory, 'new-'))
  try {
    await telling('pyiceberg, DuckDB and MiniStack (450 MB on the disk)', onProgress, () => fill(fresh, signal))
    await replace(home, fresh)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return home
}

/** Once it is moved its `python` alone works: the other programs name the place where they were made. */
async function fill(home: string, signal: AbortSignal | undefined): Promise<void> {
  const run = async (installer: string, file: string, args: readonly string[]) =>
    requireSuccess('Readers of the archive', installer, await runToEnd(file, args, signal && { signal }))
  await run('venv', 'python3', ['-m', 'venv', home])
  const strict = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--no-compile']
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input']
  await run('pip', join(home, 'bin/python'), ['-m', 'pip', 'install', ...strict, ...quiet, '-r', requirements])
  await gatherExtensions(home)
}

/** DuckDB looks for extensions by its version and platform, which the packages do not name alike. */
async function gatherExtensions(home: string): Promise<void> {
  const gather = `
import pathlib, shutil, sys, duckdb
((version, _, _),) = duckdb.sql('pragma version').fetchall()
((platform,),) = duckdb.sql('pragma platform').fetchall()
folder = pathlib.Path(sys.prefix, 'duckdb-extensions', version, platform)
folder.mkdir(parents=True)
for found in pathlib.Path(duckdb.__file__).parent.parent.glob('duckdb_extension_*/extensions/*/*.duckdb_extension'):
    shutil.copy(found, folder)
`
  const finished = await runToEnd(join(home, 'bin/python'), ['-c', gather])
  requireSuccess("DuckDB's extensions", 'python', finished)
}
