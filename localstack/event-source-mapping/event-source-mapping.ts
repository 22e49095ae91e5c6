import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { MappingState } from '#core/status/health.ts'
import type { BrokerAccess } from '#localstack/broker-access.ts'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import type { Deliver } from './definition/failure-destination.ts'
import type { MappingDefinition } from './definition/mapping-definition.ts'
import type { DeliveryReading } from './dispatching/delivery.ts'
import { type AwsEndpoints, checkEndpoint, type Destinations, makeDestinations } from './dispatching/destinations.ts'
import { type Discarded, destinationMessages } from './dispatching/discarded-batch.ts'
import { type MappingEvent, type MappingMetrics, MappingRecord } from './mapping-record.ts'
import { rebalanceGraceMs, takePart } from './participation.ts'
import { type ReadSecret, readBrokerAccess } from './polling/access-secrets.ts'
import { makeEventFrame } from './polling/event.ts'

export type EventSourceMappingOptions = Partial<DeliveryReading> & {
  /**
   * It is the same after a restart. On AWS it is the mapping's UUID, which is also the consumer group when the mapping
   * names none.
   */
  id: string
  /** Addresses of an MSK cluster's brokers. Those of self-managed Kafka are in the definition. */
  bootstrapServers?: string
  /** The login to an MSK cluster in place of the function's role, and the certificates to trust. Absent: plain text. */
  brokerAccess?: BrokerAccess
  /** Needed when the definition names secrets. */
  readSecret?: ReadSecret
  /** Runs the function on an event. */
  invoke: (payload: Buffer, functionName: string) => Promise<InvocationAnswer>
  /** The largest number of invocations at once, which is the function's concurrency. */
  concurrency: number
  /** Endpoints of on-failure destinations other than topics of the cluster. */
  awsEndpoints?: AwsEndpoints
  /** Gets discarded batches instead of their destination. */
  deliver?: Deliver
  onEvent?: (event: MappingEvent) => void
}

/** A mapping that polls until it is stopped. */
export type RunningEventSourceMapping = {
  state(): MappingState
  metrics(): MappingMetrics
  /**
   * AWS: UpdateEventSourceMapping, which also enables and disables. It finishes what is in flight, and continues at the
   * same place with the new definition. Throws an Error when the definition has another source, or when the mapping is
   * deleted.
   */
  update(definition: MappingDefinition): void
  /**
   * AWS: DeleteEventSourceMapping. The offsets of the group stay, as on AWS. Settles when the mapping has left the
   * group.
   */
  delete(): Promise<void>
  /**
   * Waits up to `graceMs` for invocations, commits what has been processed, and leaves the group. Settles when that is
   * done.
   */
  stop(graceMs?: number): Promise<void>
}

/**
 * Polls a topic and invokes a function with its records, as Lambda does for a Kafka event source. It never gives up: it
 * connects again when the broker is gone, and invokes again when the function fails, within the error controls.
 */
export function startEventSourceMapping(
  definition: MappingDefinition,
  options: EventSourceMappingOptions,
): RunningEventSourceMapping {
  const poller = new Poller(definition, options)
  const polling = poller.run()
  return {
    state: () => poller.state,
    metrics: () => poller.record.metrics(),
    update: (changed) => poller.update(changed),
    async delete() {
      poller.stop(rebalanceGraceMs, 'Deleting')
      await polling
      poller.state = 'Deleted'
    },
    async stop(graceMs = 1_500) {
      poller.stop(graceMs)
      await polling
    },
  }
}

class Poller {
  readonly record: MappingRecord
  state: MappingState
  #definition: MappingDefinition
  readonly #options: EventSourceMappingOptions
  #isStopped = false
  /** Aborted when the definition has changed or the mapping is stopped. */
  #interruption = new AbortController()
  #graceMs = 0
  #failures = 0

  constructor(definition: MappingDefinition, options: EventSourceMappingOptions) {
    this.#options = options
    this.#check(definition)
    this.#definition = definition
    this.state = definition.enabled ? 'Creating' : 'Disabled'
    this.record = new MappingRecord(options.onEvent ?? (() => undefined))
  }

  /** Settles when the mapping is stopped. */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      this.#interruption = new AbortController()
      const { signal } = this.#interruption
      if (!this.#definition.enabled) {
        this.state = 'Disabled'
        await once(signal, 'abort')
        continue
      }
      const error = await this.#takePart(signal).catch((reason: Error) => reason)
      if (error === undefined) continue
      if (this.state === 'Enabled') this.state = 'Reconnecting'
      const retryInMs = Math.min(500, 50 * 2 ** this.#failures++)
      this.record.disconnected(error, retryInMs)
      await delay(retryInMs, undefined, { signal }).catch(() => undefined)
    }
  }

  update(definition: MappingDefinition): void {
    if (this.#isStopped) throw new Error(`event source mapping ${this.#options.id} is deleted or stopped`)
    for (const name of [
      'eventSourceArn',
      'bootstrapServers',
      'topic',
      'consumerGroupId',
      'startingPosition',
    ] as const) {
      if (isDeepStrictEqual(definition[name], this.#definition[name])) continue
      throw new Error(`event source mapping: ${name} cannot be changed: delete the mapping and create another one`)
    }
    this.#check(definition)
    const wasEnabled = this.#definition.enabled
    this.#definition = definition
    this.state = definition.enabled === wasEnabled ? 'Updating' : definition.enabled ? 'Enabling' : 'Disabling'
    this.#interrupt(rebalanceGraceMs)
  }

  stop(graceMs: number, state: MappingState = this.state): void {
    this.#isStopped = true
    this.state = state
    this.#interrupt(graceMs)
  }

  #interrupt(graceMs: number): void {
    this.#graceMs = graceMs
    this.#interruption.abort()
  }

  /** Refuses a definition that could not work later. */
  #check({ destination, bootstrapServers }: MappingDefinition): void {
    const { awsEndpoints = {}, deliver } = this.#options
    if (destination !== undefined && deliver === undefined) checkEndpoint(destination, awsEndpoints)
    if ((bootstrapServers ?? this.#options.bootstrapServers) !== undefined) return
    throw new Error('event source mapping: bootstrapServers must say where the brokers of the MSK cluster are')
  }

  async #takePart(signal: AbortSignal): Promise<Error | undefined> {
    const definition = this.#definition
    const { brokerAccess, readSecret, awsEndpoints = {}, ...options } = this.#options
    const bootstrapServers = definition.bootstrapServers ?? options.bootstrapServers!
    const otherwise = definition.eventSourceArn === undefined ? {} : brokerAccess
    const access = await readBrokerAccess(definition.access, readSecret, otherwise)
    const destinations = makeDestinations(awsEndpoints, { bootstrapServers, access })
    try {
      const participation = {
        redelivery: 'from-first-failed' as const,
        batchesInFlight: 1 as const,
        ...options,
        bootstrapServers,
        access,
        record: this.record,
        invoke: (payload: Buffer) => options.invoke(payload, definition.functionName),
        discard: (discarded: Discarded) => this.#discard(definition, bootstrapServers, destinations, discarded),
        onAssigned: () => this.#enabled(signal),
      }
      return await takePart(definition, participation, { signal, graceMs: () => this.#graceMs })
    } finally {
      await destinations.close().catch(() => undefined)
    }
  }

  #enabled(signal: AbortSignal): void {
    this.#failures = 0
    if (!signal.aborted) this.state = 'Enabled'
  }

  /** AWS: records that the destination refuses count as dropped. */
  async #discard(
    { destination, eventSourceArn, functionName }: MappingDefinition,
    bootstrapServers: string,
    destinations: Destinations,
    discarded: Discarded,
  ): Promise<void> {
    if (destination === undefined) {
      this.record.discarded(discarded, false)
      return
    }
    const from = {
      mappingId: this.#options.id,
      functionArn: functionArn(functionName, eventSourceArn),
      ...(eventSourceArn !== undefined && { eventSourceArn }),
      bootstrapServers,
      frame: makeEventFrame(eventSourceArn, bootstrapServers),
    }
    try {
      const messages = destinationMessages(destination, discarded, from, Date.now())
      await (this.#options.deliver ?? destinations.deliver)(destination, messages)
      this.record.discarded(discarded, true)
    } catch (error) {
      this.record.discarded(discarded, true, error as Error)
    }
  }
}

/** A function's ARN. A plain name belongs to the account and region of its event source. */
function functionArn(nameOrArn: string, eventSourceArn: string | undefined): string {
  if (nameOrArn.startsWith('arn:')) return nameOrArn
  const [, partition, , region, account] = (eventSourceArn ?? 'arn:aws:kafka:us-east-1:000000000000').split(':')
  return `arn:${partition}:lambda:${region}:${account}:function:${nameOrArn}`
}
