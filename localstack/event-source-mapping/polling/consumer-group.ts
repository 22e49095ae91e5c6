import { setTimeout as delay } from 'node:timers/promises'
import { ConnectionPool, Consumer, FetchIsolationLevels, findErrorBy, ListOffsetTimestamps } from '@platformatic/kafka'
import type { BrokerAccess } from '#localstack/broker-access.ts'
import type { StartingPosition } from '../definition/mapping-definition.ts'
import type { FetchedPartition } from './fetched-records.ts'
import type { GroupOffset } from './offset-commits.ts'

export type GroupMemberOptions = {
  /** `host:port,…` */
  bootstrapServers: string
  access: BrokerAccess
  groupId: string
  /** The same after a restart: the group then takes this member back at once instead of waiting for the old one. */
  instanceId: string
  topic: string
  startingPosition: StartingPosition
  /** The group is about to be shared out anew: settles when this member is done with what it has. */
  onRevoke: () => Promise<void>
  onAssigned: (assignment: AssignedPartition[]) => void
  /** The membership is lost or cannot go on; `leave` and join again. */
  onFailure: (error: Error) => void
}

/** A topic partition of this member, and where it continues. */
export type AssignedPartition = { partition: number; leader: number; offset: bigint }

/** What a fetch brought for one topic partition; `outOfRange` when the broker no longer has, or never had, its offset. */
export type Fetched = FetchedPartition | { partitionIndex: number; outOfRange: true }

const sessionTimeoutMs = 45_000
/** How soon topic partitions that a topic is given are read; Kafka's own consumers look every five minutes. */
const partitionsCheckMs = 15_000
const fetchBytes = 2 << 20
const fetchBytesPerPartition = 512 << 10
const offsetOutOfRange = 1

/** One member of a consumer group that reads one topic, with the classic protocol every broker speaks. */
export class GroupMember {
  readonly #options: GroupMemberOptions
  readonly #consumer: Consumer
  /** A broker works on one request of a connection at a time: a long poll must not hold commits and heartbeats up. */
  readonly #fetchConnections: ConnectionPool
  #topicId = ''
  #partitions = 0
  #watch: NodeJS.Timeout | undefined
  #joining: Promise<unknown> = Promise.resolve()
  #left = false

  constructor(options: GroupMemberOptions) {
    this.#options = options
    const connection = { connectTimeout: 2_000, requestTimeout: 30_000, retries: 0, ...options.access }
    const clientId = `event-source-mapping-${options.groupId}`
    this.#fetchConnections = new ConnectionPool(clientId, connection)
    let joined = false
    this.#consumer = new Consumer({
      ...connection,
      clientId,
      bootstrapBrokers: options.bootstrapServers.split(','),
      groupId: options.groupId,
      groupInstanceId: options.instanceId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: sessionTimeoutMs,
      heartbeatInterval: 1_000,
      // Called before each JoinGroup, and waited for: the place to finish what may be somebody else's afterwards.
      protocolsMetadata: async () => {
        if (joined && !this.#left) await options.onRevoke()
        joined = true
        return Buffer.alloc(0)
      },
    })
    this.#consumer.topics.track(options.topic)
    this.#consumer.on('error', options.onFailure)
    this.#consumer.on('consumer:heartbeat:stalled', () => {
      options.onFailure(new Error('the group coordinator does not answer'))
    })
    this.#consumer.on('consumer:group:join', ({ assignments }) => {
      const own = assignments?.find(({ topic }) => topic === options.topic)
      this.#positions(own?.partitions ?? []).then((assignment) => {
        if (!this.#left) options.onAssigned(assignment)
      }, options.onFailure)
    })
  }

  /** Joins the group; the assignment comes through `onAssigned`. Rejects when topic or group cannot be reached. */
  async join(): Promise<void> {
    this.#joining = this.#consumer.joinGroup({})
    await this.#joining
    this.#watch = setInterval(
      () => void this.#seePartitions().catch(this.#options.onFailure),
      partitionsCheckMs,
    ).unref()
  }

  /** A member that sees more topic partitions than before has the group shared out anew. */
  async #seePartitions(): Promise<void> {
    const { topic } = this.#options
    const metadata = await this.#consumer.metadata({ topics: [topic], forceUpdate: true })
    const { length } = metadata.topics.get(topic)!.partitions
    if (this.#left || this.#partitions === 0 || length <= this.#partitions) return
    this.#partitions = length
    this.#joining = this.#consumer.joinGroup({})
    await this.#joining
  }

  /** Reads from the broker `node`; waits up to `waitMs` while there is nothing new. Rejects when the broker fails. */
  async fetch(node: number, positions: Map<number, bigint>, waitMs: number): Promise<Fetched[]> {
    const partitions = [...positions].map(([partition, fetchOffset]) => ({
      partition,
      fetchOffset,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      partitionMaxBytes: fetchBytesPerPartition,
    }))
    try {
      const { responses } = await this.#consumer.fetch({
        node,
        topics: [{ topicId: this.#topicId, partitions }],
        maxWaitTime: waitMs,
        minBytes: 1,
        maxBytes: fetchBytes,
        isolationLevel: FetchIsolationLevels.READ_COMMITTED,
        connectionPool: this.#fetchConnections,
      })
      return responses.flatMap((response) => response.partitions)
    } catch (error) {
      const lost = outOfRange(error as Error)
      if (lost.length === 0) throw error
      return lost.map((partitionIndex) => ({ partitionIndex, outOfRange: true }))
    }
  }

  async commit(offsets: GroupOffset[]): Promise<void> {
    await this.#consumer.commit({
      offsets: offsets.map(({ offset, ...place }) => ({ ...place, offset: BigInt(offset), leaderEpoch: -1 })),
    })
  }

  /** Where the mapping's starting position is now, in each of the topic partitions. */
  async startingOffsets(partitions: number[]): Promise<Map<number, bigint>> {
    const { topic, startingPosition: position } = this.#options
    const list = async (timestamp: bigint) => {
      const offsets = await this.#consumer.listOffsets({
        topics: [topic],
        partitions: { [topic]: partitions },
        timestamp,
      })
      return offsets.get(topic)!
    }
    if (partitions.length === 0) return new Map()
    const latest = await list(ListOffsetTimestamps.LATEST)
    const found =
      position === 'LATEST'
        ? latest
        : await list(position === 'TRIM_HORIZON' ? ListOffsetTimestamps.EARLIEST : BigInt(position.timestampMs))
    // No record is as young as the timestamp: those to come are.
    return new Map(
      partitions.map((partition) => [partition, found[partition]! < 0n ? latest[partition]! : found[partition]!]),
    )
  }

  /** Leaves the group, or gives up when the broker does not answer soon. No callback is called any more. */
  async leave(): Promise<void> {
    this.#left = true
    clearInterval(this.#watch)
    await Promise.race([this.#close(), delay(1_500, undefined, { ref: false })])
  }

  async #close(): Promise<void> {
    // Who goes while it joins is a member all the same, and keeps its share until its session times out.
    await this.#joining.catch(() => undefined)
    await new Promise((resolve) => this.#fetchConnections.close(resolve))
    // Nothing depends on it: what is not said to the group now, its session timeout says.
    await this.#consumer.close(true).catch(() => undefined)
  }

  /** The group's offsets win; a topic partition without one begins at the starting position. */
  async #positions(partitions: number[]): Promise<AssignedPartition[]> {
    const { topic, startingPosition } = this.#options
    const metadata = (await this.#consumer.metadata({ topics: [topic] })).topics.get(topic)!
    this.#topicId = metadata.id
    this.#partitions = metadata.partitions.length
    if (partitions.length === 0) return []
    const committed = (await this.#consumer.listCommittedOffsets({ topics: [{ topic, partitions }] })).get(topic)!
    const fresh = partitions.filter((partition) => (committed[partition] ?? -1n) < 0n)
    const starts = await this.startingOffsets(fresh)
    // Without it a member that is replaced before its first batch would begin at another "latest" and miss records.
    if (startingPosition !== 'TRIM_HORIZON' && starts.size > 0) {
      await this.commit([...starts].map(([partition, offset]) => ({ topic, partition, offset: Number(offset) })))
    }
    return partitions.map((partition) => ({
      partition,
      leader: metadata.partitions[partition]!.leader,
      offset: starts.get(partition) ?? committed[partition]!,
    }))
  }
}

/** The topic partitions of a failed fetch, if all that failed in it is their offset. */
function outOfRange(error: Error): number[] {
  const response = findErrorBy(error, 'code', 'PLT_KFK_RESPONSE')?.['response']
  const failed: FetchedPartition[] = (response?.responses ?? []).flatMap((topic: { partitions: FetchedPartition[] }) =>
    topic.partitions.filter(({ errorCode }) => errorCode !== 0),
  )
  return failed.every(({ errorCode }) => errorCode === offsetOutOfRange)
    ? failed.map(({ partitionIndex }) => partitionIndex)
    : []
}
