import type { FinishedEvent } from './event-queue.ts'
import { type EventSettings, readDestination } from './event-settings.ts'
import type { FunctionDefinition } from './function-definition.ts'
import type { FunctionHost, FunctionHostOptions } from './function-host.ts'
import { type DestinationMessage, destinationMessage, invocationRecord } from './invocation-record.ts'

/** Tells destinations what became of the asynchronous invocations of one function. */
export type RecordDelivery = {
  /** Logs what was discarded, and sends the record where the settings say. A delivery that fails is logged. */
  onFinished(finished: FinishedEvent): void
  /** Throws an Error when nothing here brings records to one of the destinations. */
  check(settings: EventSettings): void
}

export function makeRecordDelivery({
  definition,
  settings,
  invoke,
  deliver,
  onLog,
}: {
  definition: FunctionDefinition
  settings: () => EventSettings
  invoke: FunctionHost['invoke']
  deliver: FunctionHostOptions['deliver'] | undefined
  onLog: (line: string) => void
}): RecordDelivery {
  const { name: functionName, arn: functionArn } = definition

  async function send(message: DestinationMessage): Promise<void> {
    if (message.service !== 'lambda') return deliver!(message)
    const answer = await invoke(message.functionArn, Buffer.from(message.payload), { type: 'Event' })
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
        if (arn === undefined || deliver !== undefined) continue
        if (readDestination(arn, 'OnFailure').service === 'lambda') continue
        throw new Error(`function ${functionName}: nothing here delivers to ${arn}; a function can be the destination`)
      }
    },
  }
}

function describeDiscarded({ condition, invocations, outcome }: FinishedEvent): string {
  if (condition === 'ZeroReservedConcurrency') return 'event discarded, the function reserves a concurrency of 0'
  const what = condition === 'EventAgeExceeded' ? 'it became too old' : `the function failed ${invocations} times`
  return `event discarded, ${what}${outcome === undefined ? '' : `: ${outcome.payload.toString()}`}`
}
