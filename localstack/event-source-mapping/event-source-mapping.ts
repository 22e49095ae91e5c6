import { setTimeout as delay } from 'node:timers/promises'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation.ts'
import { type AssignedPartition, GroupMember } from './consumer-group.ts'
import { Dispatcher } from './dispatcher.ts'
import { type EventFrame, makeEventFrame } from './event.ts'
import type { MappingDefinition } from './mapping-definition.ts'
import { type MappingEvent, type MappingMetrics, MappingRecord } from './mapping-record.ts'
import { makeOffsetCommits, type OffsetCommits } from './offset-commits.ts'
import { makePolledPartition, type PolledPartition, type PollObserver, pollBroker } from './poll-loop.ts'

export type EventSourceMappingOptions = {
  /** The same after a restart. AWS: its UUID, which is also the consumer group when the mapping names none. */
  id: string
  bootstrapServers: string
  /** Runs the function on an event. */
  invoke: (payload: Buffer) => Promise<InvocationAnswer>
  /** Most invocations at once: the function's concurrency. */
  concurrency: number
  onEvent?: (event: MappingEvent) => void
}

/** A mapping that polls until it is stopped. */
export type RunningEventSourceMapping = {
  state(): MappingState
  metrics(): MappingMetrics
  /** Commits what is processed and leaves the group; an invocation gets `graceMs` to end. Settles when that is done. */
  stop(graceMs?: number): Promise<void>
}

/** As AWS names them; `Reconnecting` is ours: the broker is gone and will be asked again. */
export type MappingState = 'Creating' | 'Enabled' | 'Reconnecting' | 'Disabled'

/** A rebalance waits so long for invocations; then what they are working on is delivered again by its new owner. */
const rebalanceGraceMs = 30_000

/**
 * Polls a topic and invokes a function with its records, as Lambda does for an MSK event source. Never gives up: it
 * connects again when the broker is gone, and invokes again when the function fails.
 */
export function startEventSourceMapping(
  definition: MappingDefinition,
  options: EventSourceMappingOptions,
): RunningEventSourceMapping {
  const poller = new Poller(definition, options)
  const polling = definition.enabled ? poller.run() : Promise.resolve()
  return {
    state: () => (definition.enabled ? poller.state : 'Disabled'),
    metrics: () => poller.record.metrics(),
    async stop(graceMs = 1_500) {
      poller.stop(graceMs)
      await polling
    },
  }
}

class Poller {
  readonly record: MappingRecord
  state: MappingState = 'Creating'
  readonly #definition: MappingDefinition
  readonly #options: EventSourceMappingOptions
  readonly #frame: EventFrame
  readonly #dispatcher: Dispatcher
  readonly #stopped = new AbortController()
  /** Aborted when the topic partitions are taken away. */
  #assignment = new AbortController()
  #partitions = new Map<string, PolledPartition>()
  #commits: OffsetCommits | undefined
  #polls: Promise<unknown> = Promise.resolve()
  #room = Promise.withResolvers<void>()
  #failures = 0
  #graceMs = 0

  constructor(definition: MappingDefinition, options: EventSourceMappingOptions) {
    this.#definition = definition
    this.#options = options
    this.record = new MappingRecord(options.onEvent ?? (() => undefined))
    this.#frame = makeEventFrame(definition.eventSourceArn, options.bootstrapServers)
    this.#dispatcher = new Dispatcher({
      ...definition,
      frame: this.#frame,
      concurrency: Math.min(options.concurrency, definition.maximumPollers ?? options.concurrency),
      invoke: options.invoke,
      onTaken: () => this.#makeRoom(),
      onInvoked: (batch) => this.record.invoked(batch),
      onProcessed: (name, offset) => this.#processed(name, offset),
      onFailure: (failure) => this.record.failed(failure),
      onThrottled: (names, timesInARow) => this.record.throttled(names, timesInARow),
    })
  }

  /** Settles when the mapping is stopped. */
  async run(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      const error = await this.#takePart()
      if (error === undefined) return
      if (this.state === 'Enabled') this.state = 'Reconnecting'
      const retryInMs = Math.min(500, 50 * 2 ** this.#failures++)
      this.record.disconnected(error, retryInMs)
      await delay(retryInMs, undefined, { signal }).catch(() => undefined)
    }
  }

  stop(graceMs: number): void {
    this.#graceMs = graceMs
    this.#stopped.abort()
  }

  /** Is a member of the group until the mapping is stopped, or until that fails; then returns why. */
  async #takePart(): Promise<Error | undefined> {
    const { promise, resolve: end } = Promise.withResolvers<Error | undefined>()
    const onStop = () => end(undefined)
    this.#stopped.signal.addEventListener('abort', onStop)
    const member = new GroupMember({
      bootstrapServers: this.#options.bootstrapServers,
      groupId: this.#definition.consumerGroupId ?? this.#options.id,
      instanceId: this.#options.id,
      topic: this.#definition.topic,
      startingPosition: this.#definition.startingPosition,
      onRevoke: async () => {
        await this.#revoke(rebalanceGraceMs)
        // Two polls at once would spoil the fetch session they share.
        await this.#polls
      },
      onAssigned: (assignment) => this.#assign(member, assignment, end),
      onFailure: end,
    })
    member.join().catch(end)
    const error = await promise
    this.#stopped.signal.removeEventListener('abort', onStop)
    await this.#revoke(this.#graceMs)
    await member.leave()
    return error
  }

  #assign(member: GroupMember, assignment: AssignedPartition[], fail: (error: Error) => void): void {
    const partitions = assignment.map((each) => makePolledPartition(this.#definition.topic, this.#frame, each))
    this.#partitions = new Map(partitions.map((each) => [each.name, each]))
    this.#commits = makeOffsetCommits({
      commit: (offsets) => member.commit(offsets),
      onCommitted: (offsets) => this.record.committed(offsets),
      onError: fail,
    })
    this.#assignment = new AbortController()
    this.#failures = 0
    this.state = 'Enabled'
    this.record.assigned(partitions)
    this.#dispatcher.assign(partitions)
    this.#polls = Promise.all(this.#poll(member, partitions, fail))
  }

  /** One poll per broker; settled when the assignment has ended. */
  #poll(member: GroupMember, partitions: PolledPartition[], fail: (error: Error) => void): Promise<void>[] {
    const { signal } = this.#assignment
    const options = { room: () => this.#room.promise, signal, observer: this.#observer() }
    const byBroker = Map.groupBy(partitions, ({ leader }) => leader)
    return [...byBroker.values()].map((ofBroker) =>
      pollBroker(member, ofBroker, options).catch((error) => {
        if (!signal.aborted) fail(error)
      }),
    )
  }

  /** Polls no more, and waits for what is in flight and for its commit, but not for ever. */
  async #revoke(graceMs: number): Promise<void> {
    this.#assignment.abort()
    this.#makeRoom()
    const settled = this.#dispatcher.revoke().then(() => this.#commits?.flush())
    // A commit that fails has ended the membership already.
    await Promise.race([settled.catch(() => undefined), delay(graceMs, undefined, { ref: false })])
  }

  #observer(): PollObserver {
    return {
      onRecords: () => this.#dispatcher.pump(),
      onPolled: ({ name }, records, logEndOffset) => this.record.polled(name, records, logEndOffset),
      onOffsetLost: ({ name, position }, offset) => this.record.offsetLost(name, Number(offset), Number(position)),
      onTooLarge: ({ name }, offset, bytes) => this.record.tooLarge(name, offset, bytes),
    }
  }

  #processed(name: string, nextOffset: number): void {
    const { topic, partition, end, position } = this.#partitions.get(name)!
    this.record.processed(name)
    this.#commits!.processed({ topic, partition, offset: nextOffset === end ? Number(position) : nextOffset })
  }

  #makeRoom(): void {
    this.#room.resolve()
    this.#room = Promise.withResolvers()
  }
}
