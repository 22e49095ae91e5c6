import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGuard } from '#localstack/processes/guard.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { supervise } from '#localstack/processes/supervise.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import type { ArchiveServices } from './archive-functions.ts'
import type { PythonReaders } from './python-readers.ts'

/**
 * MiniStack with a table bucket: an independent implementation of S3 and of the Iceberg endpoint of S3 Tables. It
 * checks signatures.
 */
export type MiniStack = { readonly services: ArchiveServices; stop(): Promise<void> }

const REGION = 'us-east-1'

type Made = Pick<ArchiveServices, 'warehouse' | 'credentials'>

/** Starts MiniStack on 127.0.0.1, empty; resolves when the table bucket exists. */
export async function startMiniStack(readers: PythonReaders): Promise<MiniStack> {
  const directory = await mkdtemp(join(tmpdir(), 'ministack-'))
  const guard = startGuard()
  const [port] = (await freePortPairs(1)) as [number]
  const endpoint = `http://127.0.0.1:${port}`
  const administrator = 'AKIAADMINISTRATOR'
  const service = await supervise({
    name: 'ministack',
    command: {
      file: readers.python,
      args: ['-m', 'ministack'],
      cwd: directory,
      env: {
        ...{ PATH: process.env['PATH'], HOME: directory, TMPDIR: directory },
        // Otherwise it would listen on every interface.
        ...{ BIND_HOST: '127.0.0.1', GATEWAY_PORT: String(port), AUTH: 'true', AWS_DEFAULT_REGION: REGION },
        AWS_ACCESS_KEY_ID: administrator,
      },
    },
    ready: () => answers(endpoint),
    stopSignal: 'SIGTERM',
    stopWithinMs: 3_000,
    logFile: join(directory, 'ministack.log'),
    guard,
    signal: new AbortController().signal,
  })
  const stop = async () => {
    await service.stop()
    guard.stop()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    const made = await readers.ask<Made>('prepare-ministack.py', { endpoint, administrator })
    return { services: { s3Endpoint: endpoint, catalogEndpoint: `${endpoint}/iceberg`, ...made }, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`${endpoint}/_ministack/health`, { signal: AbortSignal.timeout(ANSWER_MS) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
