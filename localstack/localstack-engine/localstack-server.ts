import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { type Command, type RunningService, type Service, supervise } from '#localstack/processes/supervise.ts'
import { extensionDirectory } from './python.ts'

/** Services that LocalStack loads at their first call. Calls of all others are answered as not enabled. */
const SERVICES = [
  ...['cloudformation', 'cloudwatch', 'ec2', 'ecr', 'events', 'iam', 'kms', 'lambda', 'logs', 's3', 'scheduler'],
  ...['secretsmanager', 'sns', 'sqs', 'ssm', 'sts'],
]

export type LocalStackOptions = Pick<Service, 'guard' | 'signal' | 'logFile' | 'onWaiting'> & {
  /** Makes the command that runs LocalStack with these variables. */
  command: (variables: Record<string, string>) => Command | Promise<Command>
  /** It is emptied at the start, because LocalStack keeps nothing between runs. */
  directory: string
  port: number
  /** The address at which our extension calls the engine. */
  engineUrl: string
  /** The token that the extension sends with its calls. */
  engineToken: string
}

/** Starts LocalStack with our extension on 127.0.0.1 and waits until it answers. */
export async function startLocalStack(options: LocalStackOptions): Promise<RunningService> {
  const { directory, port, guard, signal, onWaiting, logFile } = options
  await rm(directory, { recursive: true, force: true })
  await mkdir(join(directory, 'tmp'), { recursive: true })
  return supervise({
    name: 'localstack',
    command: await options.command(variables(options)),
    ready: () => answers(localStackUrl(port)),
    ...(onWaiting && { onWaiting }),
    stopSignal: 'SIGTERM',
    // Some versions of LocalStack ignore SIGTERM.
    stopWithinMs: 2_000,
    logFile,
    guard,
    signal,
  })
}

/** The command that runs LocalStack in a Python environment that contains it. */
export function pythonCommand(python: string, directory: string): LocalStackOptions['command'] {
  return (variables) => ({
    file: python,
    args: ['-m', 'localstack.runtime.main'],
    cwd: directory,
    env: {
      PATH: process.env['PATH'],
      HOME: directory,
      FILESYSTEM_ROOT: join(directory, 'filesystem'),
      // Without this, LocalStack in a container would write to /var/lib/localstack.
      OVERRIDE_IN_DOCKER: '0',
      // Python must not write compiled files into the checkout. Those of the environment are made by pip.
      PYTHONDONTWRITEBYTECODE: '1',
      ...variables,
    },
  })
}

export const localStackUrl = (port: number): string => `http://127.0.0.1:${port}`

/** Variables that replace the user's own settings of LocalStack, so that those cannot change what runs here. */
function variables({ directory, port, engineUrl, engineToken }: LocalStackOptions): Record<string, string> {
  return {
    LANG: 'C.UTF-8',
    // LocalStack unpacks functions here, and the engine runs them from here.
    TMPDIR: join(directory, 'tmp'),
    PYTHONPATH: extensionDirectory,
    // This keeps memory small, because many threads allocate.
    MALLOC_ARENA_MAX: '2',
    GATEWAY_LISTEN: `127.0.0.1:${port}`,
    LOCALSTACK_HOST: `127.0.0.1:${port}`,
    // LocalStack's other server listens on every interface.
    GATEWAY_SERVER: 'hypercorn',
    SERVICES: SERVICES.join(','),
    STRICT_SERVICE_LOADING: '1',
    DNS_ADDRESS: '0',
    DISABLE_EVENTS: '1',
    // Otherwise LocalStack logs a line for every request.
    LS_LOG: 'warning',
    SKIP_SSL_CERT_DOWNLOAD: '1',
    LAMBDA_RUNTIME_EXECUTOR: 'tidemark',
    TIDEMARK_ENGINE_URL: engineUrl,
    TIDEMARK_ENGINE_TOKEN: engineToken,
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/_localstack/health`, { signal: AbortSignal.timeout(ANSWER_MS) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
