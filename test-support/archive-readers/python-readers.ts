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
 * The environment, with packages of the committed versions and checksums; made when it is not there. Throws an Error that
 * says what to do. Safe against another process doing the same.
 */
export async function openPythonReaders(options: InstallOptions = {}): Promise<PythonReaders> {
  const what = 'pyiceberg, DuckDB and MiniStack (450 MB on the disk)'
  const home = await openPythonEnvironment({ ...options, what, requirements, finish: gatherExtensions })
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
