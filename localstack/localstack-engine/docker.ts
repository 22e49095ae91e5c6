import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MissingProgramError, runToEnd } from '#localstack/processes/finished-process.ts'
import type { LocalStackOptions } from './localstack-server.ts'
import { extensionDirectory } from './python.ts'

/** Servers as containers. This engine runs its service `localstack`. */
export const composeFile = join(import.meta.dirname, '..', 'compose.yaml')

/**
 * Whether LocalStack runs as a container: a Docker engine answers, there is a compose file, and TIDEMARK_LOCALSTACK
 * does not choose Python.
 */
export async function choosesDocker(environment: NodeJS.ProcessEnv, file = composeFile): Promise<boolean> {
  const chosen = environment['TIDEMARK_LOCALSTACK'] || 'docker'
  if (chosen !== 'docker' && chosen !== 'python') {
    throw new Error(`TIDEMARK_LOCALSTACK=${chosen} is neither docker nor python`)
  }
  return chosen === 'docker' && existsSync(file) && (await engineAnswers(environment))
}

async function engineAnswers(env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    return (await runToEnd('docker', ['info'], { env })).code === 0
  } catch (error) {
    if (error instanceof MissingProgramError) return false
    throw error
  }
}

/**
 * Runs LocalStack as the compose file's service `localstack`. The service has to take its variables from the file that
 * TIDEMARK_LOCALSTACK_VARIABLES names, and to mount TIDEMARK_LOCALSTACK_DIRECTORY and TIDEMARK_LOCALSTACK_EXTENSION at
 * the same paths as on the host. It has to share the host's network, because it calls the engine, which runs the
 * functions.
 */
export function composeCommand(directory: string, file = composeFile): LocalStackOptions['command'] {
  return async (variables) => {
    const variablesFile = join(directory, 'variables.env')
    await writeFile(
      variablesFile,
      Object.entries(variables)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
      { mode: 0o600 },
    )
    return {
      file: 'docker',
      args: ['compose', '--file', file, 'run', '--rm', '--no-deps', 'localstack'],
      cwd: directory,
      env: {
        ...process.env,
        TIDEMARK_LOCALSTACK_VARIABLES: variablesFile,
        TIDEMARK_LOCALSTACK_DIRECTORY: directory,
        TIDEMARK_LOCALSTACK_EXTENSION: extensionDirectory,
      },
    }
  }
}
