/** Size of the largest record, in bytes: a row of several megabytes must not stop the connector. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024

export type Replicas = { count: number; inSync: number }

/** The server.properties of the brokers. */
export function serverProperties(replicas: Replicas): string {
  return lines({
    // A topic that is created automatically would have the wrong number of topic partitions, and no consumer.
    'auto.create.topics.enable': false,
    // MSK's default is true: a replica that is behind may become leader, and acknowledged records are then lost.
    'unclean.leader.election.enable': false,
    'default.replication.factor': replicas.count,
    'min.insync.replicas': replicas.inSync,
    'message.max.bytes': MAX_RECORD_BYTES,
    // If this were smaller than message.max.bytes, a large record could be written but never replicated.
    'replica.fetch.max.bytes': MAX_RECORD_BYTES,
  })
}

export type TopicKind =
  | { cleanup: 'delete'; retentionHours: number }
  /** Connect stores its configuration, offsets and states by key, and would lose them if records expired. */
  | { cleanup: 'compact' }

/** Configuration of a topic as `AWS::MSK::Topic` takes it: `key=value` lines in base64. */
export function topicProperties(kind: TopicKind, replicas: Replicas): string {
  const properties = {
    'cleanup.policy': kind.cleanup,
    'min.insync.replicas': replicas.inSync,
    'max.message.bytes': MAX_RECORD_BYTES,
    ...(kind.cleanup === 'delete' ? { 'retention.ms': kind.retentionHours * 3_600_000 } : {}),
  }
  return Buffer.from(lines(properties)).toString('base64')
}

const lines = (properties: Record<string, string | number | boolean>): string =>
  Object.entries(properties)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')
