import { join } from 'node:path'
import { type InstallOptions, requireSuccess } from '#localstack/archive-readers/install-chdb.ts'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { openPythonEnvironment } from './python-environment.ts'

type Script = 'read-with-duckdb.py' | 'read-with-pyiceberg.py' | 'inspect-with-pyiceberg.py' | 'prepare-ministack.py'

/** A Python environment with pyiceberg, DuckDB and MiniStack. */
export type PythonReaders = {
  /** Path of the environment's Python. */
  readonly python: string
  /** Runs one of this project's scripts with a request, and returns the JSON that it printed. */
  ask<T>(script: Script, request: object): Promise<T>
}

const scripts = join(import.meta.dirname, 'python')
const requirements = join(scripts, 'requirements.txt')

/**
 * The environment, with packages of the committed versions and checksums, which is made if it is missing. Two processes
 * may call this at the same time. Throws an Error that says what to do.
 */
export async function openPythonReaders(options: InstallOptions = {}): Promise<PythonReaders> {
  const what = 'pyiceberg, DuckDB and MiniStack (450 MB on the disk)'
  const home = await openPythonEnvironment({ ...options, what, requirements, finish: gatherExtensions })
  const python = join(home, 'bin/python')
  return {
    python,
    async ask(script, request) {
      // The user's own account must not decide what is read.
      const env = { PATH: process.env['PATH'], HOME: home, PYTHONDONTWRITEBYTECODE: '1' }
      const args = [join(scripts, script), JSON.stringify(request)]
      const { code, output } = await runToEnd(python, args, { env })
      if (code !== 0) throw new Error(`${script} ended with exit code ${code}:\n${output}`)
      return JSON.parse(output.trim().split('\n').at(-1)!)
    },
  }
}

/** DuckDB looks for extensions by its version and platform, which the names of the packages do not match. */
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
