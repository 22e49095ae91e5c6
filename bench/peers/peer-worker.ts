import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectApi, connectApi } from '#adapters/connect/connect-api.ts'
import { startGuard } from '#localstack/processes/guard.ts'
import { startConnect } from '#localstack/servers/connect/connect.ts'
import { prepareJars } from '#localstack/servers/java/jars.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { jarsDirectory } from '#localstack/settings.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { stopWhenInterrupted } from '../interruption.ts'

/** A Connect worker for the peers, with a heap that does not limit them. */
export type PeerWorker = {
  readonly connect: ConnectApi
  readonly pid: () => number | undefined
  stop(): Promise<void>
}

/** The group as which the worker's processes count. */
export const SINK_WORKER = 'sink worker'
export const HEAP_MB = 1_536
const TOKEN = 'peers'

/** Starts the worker on the brokers, with folders that contain plugins. */
export async function startPeerWorker(bootstrapServers: string, plugins: readonly string[]): Promise<PeerWorker> {
  const [program, jars] = await Promise.all([
    findJava(process.env),
    prepareJars({ directory: jarsDirectory, environment: process.env, onProgress: () => undefined }),
  ])
  const directory = await mkdtemp(join(tmpdir(), 'bench-peers-'))
  const guard = startGuard()
  const [port] = (await freePortPairs(1)) as [number]
  const login = { username: 'tidemark', password: TOKEN }
  const service = await startConnect({
    ...{ program, directory, port, login, guard },
    jars: { ...jars, pluginPath: [jars.pluginPath, ...plugins].join(',') },
    environment: {
      BOOTSTRAP_SERVERS: bootstrapServers,
      GROUP_ID: 'bench-peers',
      CONFIG_STORAGE_TOPIC: 'bench-peers-config',
      OFFSET_STORAGE_TOPIC: 'bench-peers-offsets',
      STATUS_STORAGE_TOPIC: 'bench-peers-status',
      HEAP_OPTS: `-Xmx${HEAP_MB}m`,
      OFFSET_FLUSH_INTERVAL_MS: '1000',
    },
    overrides: {
      listeners: `http://127.0.0.1:${port}`,
      'config.storage.replication.factor': '1',
      'offset.storage.replication.factor': '1',
      'status.storage.replication.factor': '1',
      'scheduled.rebalance.max.delay.ms': '0',
      'connector.client.config.override.policy': 'All',
    },
    logFile: join(directory, 'connect.log'),
    signal: new AbortController().signal,
  })
  return {
    connect: connectApi(`http://127.0.0.1:${port}`, async () => login),
    pid: () => service.health().pid,
    stop: stopWhenInterrupted(async () => {
      await service.stop()
      guard.stop()
      await rm(directory, { recursive: true, force: true })
    }),
  }
}
