import { setTimeout as delay } from 'node:timers/promises'
import { ConnectionPool, Consumer, FetchIsolationLevels, findErrorBy, ListOffsetTimestamps } from '@platformatic/kafka'
import type { FetchedPartition } from '#adapters/kafka/committed-batches.ts'
import type { BrokerAccess } from '#localstack/broker-access.ts'
import type { StartingPosition } from '../definition/mapping-definition.ts'
import type { GroupOffset } from './offset-commits.ts'

export type GroupMemberOptions = {
  /** `host:port,…` */
  bootstrapServers: string
  access: BrokerAccess
  groupId: string
  /**
   * It is the same after a restart. The group then takes this member back at once instead of waiting for the old one.
   */
  instanceId: string
  topic: string
  startingPosition: StartingPosition
  /** Called before the group rebalances. Settles when this member has finished its topic partitions. */
  onRevoke: () => Promise<void>
  onAssigned: (assignment: AssignedPartition[]) => void
  /** Called when the membership is lost or cannot continue. The caller has to call `leave` and join again. */
  onFailure: (error: Error) => void
}

/** A topic partition of this member, and where it continues. */
export type AssignedPartition = { partition: number; leader: number; offset: bigint }

/** The result of a fetch for one topic partition. `outOfRange`: the broker no longer has, or never had, the offset. */
export type Fetched = FetchedPartition | { partitionIndex: number; outOfRange: true }

const sessionTimeoutMs = 45_000
/**
 * How often to look for topic partitions that were added to the topic. Kafka's own consumers look every five minutes.
 */
const partitionsCheckMs = 15_000
const fetchBytes = 2 << 20
const fetchBytesPerPartition = 512 << 10
const offsetOutOfRange = 1

/** One member of a consumer group that reads one topic, with the classic protocol, which every broker supports. */
export class GroupMember {
  readonly #options: GroupMemberOptions
  readonly #consumer: Consumer
  /**
   * A broker handles one request of a connection at a time. Fetches have their own connections, so that a long poll
   * does not delay commits and heartbeats.
   */
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
      // The client calls this before each JoinGroup and waits for it. Work has to be finished here, because another
      // member may get its topic partitions afterwards.
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

  /** Makes the group rebalance when the topic has more topic partitions than before. */
  async #seePartitions(): Promise<void> {
    const { topic } = this.#options
    const metadata = await this.#consumer.metadata({ topics: [topic], forceUpdate: true })
    const { length } = metadata.topics.get(topic)!.partitions
    if (this.#left || this.#partitions === 0 || length <= this.#partitions) return
    this.#partitions = length
    this.#joining = this.#consumer.joinGroup({})
    await this.#joining
  }

  /**
   * Fetches from the broker `node`, which waits up to `waitMs` while there is nothing new. Rejects when the broker
   * fails.
   */
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

  /** The offsets of the mapping's starting position, in each of the topic partitions. */
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
    // When no record is as young as the timestamp, reading begins at the end, with the records to come.
    return new Map(
      partitions.map((partition) => [partition, found[partition]! < 0n ? latest[partition]! : found[partition]!]),
    )
  }

  /** Leaves the group, or gives up when the broker does not answer soon. Afterwards no callback is called. */
  async leave(): Promise<void> {
    this.#left = true
    clearInterval(this.#watch)
    await Promise.race([this.#close(), delay(1_500, undefined, { ref: false })])
  }

  async #close(): Promise<void> {
    // A member that leaves while it joins would still be in the group, and would keep its share until its session times
    // out.
    await this.#joining.catch(() => undefined)
    await new Promise((resolve) => this.#fetchConnections.close(resolve))
    // A failure here has no effect, because the session timeout also removes the member.
    await this.#consumer.close(true).catch(() => undefined)
  }

  /** The group's offsets come first; a topic partition without one begins at the starting position. */
  async #positions(partitions: number[]): Promise<AssignedPartition[]> {
    const { topic, startingPosition } = this.#options
    const metadata = (await this.#consumer.metadata({ topics: [topic] })).topics.get(topic)!
    this.#topicId = metadata.id
    this.#partitions = metadata.partitions.length
    if (partitions.length === 0) return []
    const committed = (await this.#consumer.listCommittedOffsets({ topics: [{ topic, partitions }] })).get(topic)!
    const fresh = partitions.filter((partition) => (committed[partition] ?? -1n) < 0n)
    const starts = await this.startingOffsets(fresh)
    // Without this commit, a member that is replaced before its first batch would begin at a later "latest" and miss
    // records.
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

/** The topic partitions of a failed fetch, when an offset out of range is its only failure; otherwise none. */
function outOfRange(error: Error): number[] {
  const response = findErrorBy(error, 'code', 'PLT_KFK_RESPONSE')?.['response']
  const failed: FetchedPartition[] = (response?.responses ?? []).flatMap((topic: { partitions: FetchedPartition[] }) =>
    topic.partitions.filter(({ errorCode }) => errorCode !== 0),
  )
  return failed.every(({ errorCode }) => errorCode === offsetOutOfRange)
    ? failed.map(({ partitionIndex }) => partitionIndex)
    : []
}
