import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGuard } from '#localstack/processes/guard.ts'
import { becomesTrue } from '#localstack/processes/readiness.ts'
import type { RunningService } from '#localstack/processes/supervise.ts'
import { startIcebergCatalog } from '#localstack/servers/archive/iceberg-catalog.ts'
import { ensureBucket, startObjectStore } from '#localstack/servers/archive/object-store.ts'
import { prepareJars } from '#localstack/servers/java/jars.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { jarsDirectory } from '#localstack/settings.ts'
import type { StackKey } from '#localstack/stack-key.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'

/** An object store and an Iceberg REST catalog for one test file, which are empty when they start. */
export type ArchiveServers = {
  /** The credentials of both. */
  key: StackKey
  /** URL of S3's API; any region may be used. */
  s3Endpoint: string
  /** The catalog's URL without `/v1`. */
  catalogEndpoint: string
  /** The bucket of tables that are created without a location. */
  bucket: string
  /** The process id of a server. */
  pid(server: ArchiveServer): number
  /** Kills the server with -9. Settles when it answers again, on the same port and with its data. */
  killAndRestart(server: ArchiveServer): Promise<void>
  stop(): Promise<void>
}

export type ArchiveServer = 'object-store' | 'iceberg-catalog'

/** The credentials that the servers of tests require. */
export const testKey: StackKey = {
  accessKeyId: 'TIDEMARKTEST',
  secretAccessKey: 'a secret of tests',
  token: 'a-token-of-tests',
}

/** Starts both with the jars of the local engine, which Maven fetches if they are missing. */
export async function startArchiveServers(): Promise<ArchiveServers> {
  const directory = await mkdtemp(join(tmpdir(), 'archive-servers-'))
  const guard = startGuard()
  const [port, catalogPort] = (await freePortPairs(2)) as [number, number]
  const s3Endpoint = `http://127.0.0.1:${port}`
  const bucket = 'archive'
  const jars = await prepareJars({ directory: jarsDirectory, environment: process.env, onProgress: () => undefined })
  const of = (server: ArchiveServer) => ({
    ...{ jars, guard, signal: new AbortController().signal },
    directory: join(directory, server),
    logFile: join(directory, `${server}.log`),
  })
  const program = await findJava(process.env)
  const services = await Promise.all([
    startObjectStore({ ...of('object-store'), program, port, key: testKey }),
    startIcebergCatalog({
      ...of('iceberg-catalog'),
      ...{ program, port: catalogPort, objectStore: s3Endpoint, bucket, region: 'us-east-1', key: testKey },
    }),
  ])
  await ensureBucket(port, bucket, testKey)
  const find = (server: ArchiveServer): RunningService => services.find(({ health }) => health().name === server)!
  return {
    key: testKey,
    s3Endpoint,
    catalogEndpoint: `http://127.0.0.1:${catalogPort}/iceberg`,
    bucket,
    pid: (server) => find(server).health().pid!,
    killAndRestart: (server) => killAndRestart(find(server)),
    async stop() {
      await Promise.all(services.map((service) => service.stop()))
      guard.stop()
      await rm(directory, { recursive: true })
    },
  }
}

async function killAndRestart({ health }: RunningService): Promise<void> {
  const { pid, restarts, name } = health()
  process.kill(pid!, 'SIGKILL')
  const isBack = async () => health().restarts > restarts && health().state === 'healthy'
  if (!(await becomesTrue(isBack, { withinMs: 30_000 }))) throw new Error(`${name} did not come back within 30 s`)
}
