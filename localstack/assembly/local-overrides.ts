import { authorityFile } from '#localstack/servers/kafka/broker-listeners.ts'
import { replicasOf } from '#localstack/servers/kafka/broker-nodes.ts'
import type { Settings } from '#localstack/settings.ts'

type Values = Record<string, string>
type ConnectPlace = Pick<Settings, 'connectPort' | 'secure' | 'directory'>

/**
 * All values that differ on one machine from a resource's template, by resource type. They replace those of the
 * template. Any other difference between stages is a literal in `cdk/stages.ts`.
 */
export const localOverrides = {
  /**
   * Server settings of Postgres: it listens on loopback, has logical decoding and uses little memory. It is as durable
   * as in production.
   */
  'AWS::RDS::DBInstance': (): Values => ({
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    wal_level: 'logical',
    max_connections: '100',
    max_wal_senders: '10',
    max_replication_slots: '10',
    shared_buffers: '64MB',
    max_wal_size: '1GB',
    max_worker_processes: '4',
    max_parallel_workers_per_gather: '0',
    autovacuum_max_workers: '2',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] %u@%d ',
  }),

  /**
   * server.properties: the number of replicas follows that of the brokers, memory use is small, and a broker is back
   * soon after it ends.
   */
  'AWS::MSK::Cluster': ({ brokers }: Pick<Settings, 'brokers'>): Values => ({
    'default.replication.factor': String(replicasOf(brokers).count),
    'min.insync.replicas': String(replicasOf(brokers).inSync),
    'offsets.topic.replication.factor': String(replicasOf(brokers).count),
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': String(replicasOf(brokers).count),
    'transaction.state.log.min.isr': String(replicasOf(brokers).inSync),
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': String(replicasOf(brokers).count),
    'share.coordinator.state.topic.min.isr': String(replicasOf(brokers).inSync),
    // The group of a local poller has one member. Waiting for further members would only delay the first change.
    'group.initial.rebalance.delay.ms': '0',
    // A killed broker can return only after its controller has seen its session expire, which takes 9 s by default.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'num.network.threads': '2',
    'num.io.threads': '2',
    'log.cleaner.dedupe.buffer.size': String(16 << 20),
  }),

  /** Properties of the Connect worker. Its REST API listens on loopback. */
  'AWS::ECS::Service': ({ connectPort, secure, directory }: ConnectPlace): Values => ({
    ...(secure ? trustOfClients(authorityFile(directory)) : {}),
    listeners: `http://127.0.0.1:${connectPort}`,
    'rest.advertised.host.name': '127.0.0.1',
    'rest.advertised.port': String(connectPort),
    // A worker stops its tasks within this time and then leaves its group. If it is killed before it has left, the next
    // worker waits for ten seconds.
    'task.shutdown.graceful.timeout.ms': '500',
    // After a kill -9 the group waits this long for the dead worker. The broker allows no shorter time.
    'session.timeout.ms': '6000',
    'heartbeat.interval.ms': '2000',
  }),

  /**
   * Variables of every function. With `secure`, functions trust the certificate authority of the local brokers, too.
   */
  'AWS::Lambda::Function': ({ secure, directory }: Pick<Settings, 'secure' | 'directory'>): Values =>
    secure ? { NODE_EXTRA_CA_CERTS: authorityFile(directory) } : {},

  /** Container ports that clients reach by a network name, with their addresses on this machine. */
  'AWS::ServiceDiscovery::Service': ({ connectPort }: Pick<Settings, 'connectPort'>): Record<number, string> => ({
    8083: `127.0.0.1:${connectPort}`,
  }),
}

/** Truststore settings for the worker's own clients and for the clients that it makes. */
function trustOfClients(file: string): Values {
  const trust = { 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': file }
  const prefixes = ['', 'producer.', 'consumer.', 'admin.']
  return Object.fromEntries(
    prefixes.flatMap((prefix) => Object.entries(trust).map(([name, value]) => [`${prefix}${name}`, value])),
  )
}
