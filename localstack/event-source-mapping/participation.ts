import { setTimeout as delay } from 'node:timers/promises'
import type { BrokerAccess } from '#localstack/broker-access.ts'
import type { MappingDefinition } from './definition/mapping-definition.ts'
import { Dispatcher, type DispatcherOptions } from './dispatching/dispatcher.ts'
import type { MappingRecord } from './mapping-record.ts'
import { type AssignedPartition, GroupMember } from './polling/consumer-group.ts'
import { type EventFrame, makeEventFrame } from './polling/event.ts'
import { makeOffsetCommits, type OffsetCommits } from './polling/offset-commits.ts'
import { makePolledPartition, type PolledPartition, type PollObserver, pollBroker } from './polling/poll-loop.ts'
import { makePollPace, type PollPace } from './polling/poll-pace.ts'

/**
 * How long a rebalance waits for invocations. Records that are in flight after that are delivered again by their new
 * owner.
 */
export const rebalanceGraceMs = 30_000

export type ParticipationOptions = Pick<
  DispatcherOptions,
  'batchesInFlight' | 'concurrency' | 'discard' | 'invoke' | 'redelivery'
> & {
  /** The mapping's id. It names the member, and also the group when the definition names none. */
  id: string
  bootstrapServers: string
  access: BrokerAccess
  record: MappingRecord
  /** Called when topic partitions were assigned, so that records will come. */
  onAssigned: () => void
}

/**
 * One membership in the consumer group, under one definition. It polls its topic partitions and dispatches their
 * records until `signal` is aborted or it fails. Then it waits for what is in flight, for at most `graceMs()`, commits,
 * and leaves the group. Returns the error with which it failed.
 */
export async function takePart(
  definition: MappingDefinition,
  options: ParticipationOptions,
  { signal, graceMs }: { signal: AbortSignal; graceMs: () => number },
): Promise<Error | undefined> {
  const { promise, resolve: end } = Promise.withResolvers<Error | undefined>()
  const onStop = () => end(undefined)
  signal.addEventListener('abort', onStop)
  if (signal.aborted) onStop()
  const participation = new Participation(definition, options, end)
  participation.join()
  const error = await promise
  signal.removeEventListener('abort', onStop)
  await participation.leave(graceMs())
  return error
}

class Participation {
  readonly #definition: MappingDefinition
  readonly #options: ParticipationOptions
  readonly #fail: (error: Error) => void
  readonly #frame: EventFrame
  readonly #dispatcher: Dispatcher
  readonly #member: GroupMember
  /** Aborted when the topic partitions are revoked. */
  #assignment = new AbortController()
  #partitions = new Map<string, PolledPartition>()
  #commits: OffsetCommits | undefined
  #polls: Promise<unknown> = Promise.resolve()
  #room = Promise.withResolvers<void>()
  readonly #pace: PollPace

  constructor(definition: MappingDefinition, options: ParticipationOptions, fail: (error: Error) => void) {
    const { record, id, bootstrapServers, access } = options
    const { maximumPollers, topic, startingPosition } = definition
    this.#definition = definition
    this.#options = options
    this.#fail = fail
    this.#frame = makeEventFrame(definition.eventSourceArn, bootstrapServers)
    this.#dispatcher = new Dispatcher({
      ...definition,
      ...options,
      frame: this.#frame,
      concurrency: Math.min(options.concurrency, maximumPollers ?? options.concurrency),
      onTaken: () => this.#makeRoom(),
      onInvoked: (batch) => record.invoked(batch),
      onEnded: () => this.#pace.again(),
      onProcessed: (name, offset) => this.#processed(name, offset),
      onFailure: (failure) => record.failed(failure),
      onThrottled: (names, timesInARow) => record.throttled(names, timesInARow),
    })
    this.#pace = makePollPace(definition.windowMs, () => this.#dispatcher.isBusy)
    this.#member = new GroupMember({
      bootstrapServers,
      access,
      groupId: definition.consumerGroupId ?? id,
      instanceId: id,
      topic,
      startingPosition,
      onRevoke: async () => {
        await this.#revoke(rebalanceGraceMs)
        // Two polls at once would break the fetch session that they share.
        await this.#polls
      },
      onAssigned: (assignment) => this.#assign(assignment),
      onFailure: fail,
    })
  }

  join(): void {
    this.#member.join().catch(this.#fail)
  }

  async leave(graceMs: number): Promise<void> {
    await this.#revoke(graceMs)
    await this.#member.leave()
  }

  #assign(assignment: AssignedPartition[]): void {
    const { record } = this.#options
    const partitions = assignment.map((each) => makePolledPartition(this.#definition.topic, this.#frame, each))
    this.#partitions = new Map(partitions.map((each) => [each.name, each]))
    this.#commits = makeOffsetCommits({
      commit: (offsets) => this.#member.commit(offsets),
      onCommitted: (offsets) => record.committed(offsets),
      onError: this.#fail,
    })
    this.#assignment = new AbortController()
    this.#options.onAssigned()
    record.assigned(partitions)
    this.#dispatcher.assign(partitions)
    this.#polls = Promise.all(this.#poll(partitions))
  }

  /** Starts one poll for each broker. The polls settle when the assignment has ended. */
  #poll(partitions: PolledPartition[]): Promise<void>[] {
    const { signal } = this.#assignment
    const { filter } = this.#definition
    const options = {
      room: () => this.#room.promise,
      more: () => this.#pace.more(),
      ...{ signal, observer: this.#observer() },
      ...(filter !== undefined && { filter }),
    }
    const byBroker = Map.groupBy(partitions, ({ leader }) => leader)
    return [...byBroker.values()].map((ofBroker) =>
      pollBroker(this.#member, ofBroker, options).catch((error) => {
        if (!signal.aborted) this.#fail(error)
      }),
    )
  }

  /** Stops polling, and waits up to `graceMs` for what is in flight and for its commit. */
  async #revoke(graceMs: number): Promise<void> {
    this.#assignment.abort()
    this.#makeRoom()
    this.#pace.again()
    const settled = this.#dispatcher.revoke().then(() => this.#commits?.flush())
    // A commit that fails has ended the membership already.
    await Promise.race([settled.catch(() => undefined), delay(graceMs, undefined, { ref: false })])
  }

  #observer(): PollObserver {
    const { record } = this.#options
    const isBlocking = this.#definition.destination === undefined
    return {
      onRecords: () => this.#dispatcher.pump(),
      onPolled: (partition, polled) => {
        record.polled(partition.name, polled)
        this.#passOver(partition)
      },
      onOffsetLost: ({ name, position }, offset) => record.offsetLost(name, Number(offset), Number(position)),
      onTooLarge: ({ name }, offset, bytes) => record.tooLarge(name, offset, bytes, isBlocking),
    }
  }

  #processed(name: string, nextOffset: number): void {
    const partition = this.#partitions.get(name)!
    partition.processed = nextOffset
    this.#options.record.processed(name)
    this.#commit(partition)
  }

  /** Records that no function gets are committed when everything before them has been processed. */
  #passOver(partition: PolledPartition): void {
    if (partition.processed === partition.end && partition.position > partition.end) this.#commit(partition)
  }

  #commit(partition: PolledPartition): void {
    const { topic, partition: index, end, processed } = partition
    if (processed === end) partition.end = partition.processed = Number(partition.position)
    this.#commits!.processed({ topic, partition: index, offset: partition.processed })
  }

  #makeRoom(): void {
    this.#room.resolve()
    this.#room = Promise.withResolvers()
  }
}
