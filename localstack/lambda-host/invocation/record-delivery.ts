import type { FunctionDefinition } from '../bundle/function-definition.ts'
import type { FinishedEvent } from './event-queue.ts'
import { type EventSettings, readDestination } from './event-settings.ts'
import type { InvokeFunction } from './invocation.ts'
import {
  type DestinationMessage,
  destinationMessage,
  invocationRecord,
  type ServiceMessage,
} from './invocation-record.ts'

/** Destinations of records other than functions. */
export type RecordDestinations = {
  reaches(service: ServiceMessage['service']): boolean
  /** Rejects when the destination did not take the record. */
  deliver(message: ServiceMessage): Promise<void>
  close(): Promise<void>
}

/** Sends the results of one function's asynchronous invocations to its destinations. */
export type RecordDelivery = {
  /**
   * Logs a discarded event, and sends the record to the destination in the settings. A delivery that fails is logged.
   */
  onFinished(finished: FinishedEvent): void
  /** Throws an Error when records cannot be sent to one of the destinations here. */
  check(settings: EventSettings): void
}

export function makeRecordDelivery({
  definition,
  settings,
  invoke,
  destinations,
  onLog,
}: {
  definition: FunctionDefinition
  settings: () => EventSettings
  invoke: InvokeFunction
  destinations: RecordDestinations | undefined
  onLog: (line: string) => void
}): RecordDelivery {
  const { name: functionName, arn: functionArn } = definition

  async function send(message: DestinationMessage): Promise<void> {
    if (message.service !== 'lambda') return destinations!.deliver(message)
    const answer = await invoke(message.arn, Buffer.from(message.payload), { type: 'Event' })
    if (answer.statusCode !== 202) throw new Error(answer.payload.toString())
  }

  return {
    onFinished(finished) {
      const succeeded = finished.condition === 'Success'
      if (!succeeded) onLog(describeDiscarded(finished))
      const arn = succeeded ? settings().onSuccess : settings().onFailure
      if (arn === undefined) return
      const now = new Date()
      const destination = readDestination(arn, succeeded ? 'OnSuccess' : 'OnFailure')
      const record = invocationRecord(functionArn, finished, now)
      send(destinationMessage(destination, record, { functionName, functionArn, succeeded, now })).catch((error) =>
        onLog(`the invocation record of ${finished.event.requestId} could not be delivered to ${arn}: ${error}`),
      )
    },
    check({ onSuccess, onFailure }) {
      for (const arn of [onSuccess, onFailure]) {
        const service = arn === undefined ? 'lambda' : readDestination(arn, 'OnFailure').service
        if (service === 'lambda' || destinations?.reaches(service)) continue
        throw new Error(
          `function ${functionName}: no destination such as ${arn} can be reached here: use a function as the destination`,
        )
      }
    },
  }
}

function describeDiscarded({ condition, invocations, outcome }: FinishedEvent): string {
  if (condition === 'ZeroReservedConcurrency') return 'event discarded, the function reserves a concurrency of 0'
  const what = condition === 'EventAgeExceeded' ? 'it became too old' : `the function failed ${invocations} times`
  return `event discarded, ${what}${outcome === undefined ? '' : `: ${outcome.payload.toString()}`}`
}
