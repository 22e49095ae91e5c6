import { readDestination } from '#localstack/event-source-mapping/definition/failure-destination.ts'
import { type AwsEndpoints, makeDestinations } from '#localstack/event-source-mapping/dispatching/destinations.ts'
import type { ServiceMessage } from '#localstack/lambda-host/invocation/invocation-record.ts'
import type { RecordDestinations } from '#localstack/lambda-host/invocation/record-delivery.ts'

/**
 * Sends invocation records to queues, topics and buckets at `endpoints`, in the same way as the event source mappings
 * do.
 */
export function makeRecordDestinations(endpoints: AwsEndpoints): RecordDestinations {
  const destinations = makeDestinations(endpoints, { bootstrapServers: '', access: {} })

  return {
    reaches: (service) => service !== 'events' && endpoints[service] !== undefined,
    async deliver(message) {
      const destination = readDestination({ OnFailure: { Destination: message.arn } }, '')!
      await destinations.deliver(destination, [described(message)])
    },
    close: destinations.close,
  }
}

function described(message: ServiceMessage): { body: string; objectKey?: string } {
  switch (message.service) {
    case 'sqs':
      return { body: message.body }
    case 'sns':
      return { body: message.message }
    case 's3':
      return { body: message.body, objectKey: message.key }
    case 'events':
      throw new Error(`there is no event bus ${message.arn}`)
  }
}
