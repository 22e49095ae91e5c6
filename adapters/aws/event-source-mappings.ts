import {
  GetEventSourceMappingCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda'

/** An event source mapping of Kafka. */
export type TopicMapping = { uuid: string; topic: string; group: string }

export type EventSourceMappings = {
  /** Those that feed a function with a topic. */
  list(functionName: string): Promise<TopicMapping[]>
  /** `Enabled`, `Disabled`, or what lies between, in Lambda's words. */
  state(uuid: string): Promise<string>
  /** Asks for it; the mapping gets there some time later. */
  enable(uuid: string, isEnabled: boolean): Promise<void>
}

/** Lambda's event source mappings. Throws the client's errors. */
export function eventSourceMappings(client: Pick<LambdaClient, 'send'> = new LambdaClient({})): EventSourceMappings {
  return {
    list: async (functionName) => {
      const mappings: TopicMapping[] = []
      let marker: string | undefined
      do {
        const page = await client.send(
          new ListEventSourceMappingsCommand({ FunctionName: functionName, ...(marker && { Marker: marker }) }),
        )
        for (const { UUID, Topics, AmazonManagedKafkaEventSourceConfig: kafka } of page.EventSourceMappings ?? []) {
          const [topic] = Topics ?? []
          if (UUID !== undefined && topic !== undefined && kafka?.ConsumerGroupId !== undefined) {
            mappings.push({ uuid: UUID, topic, group: kafka.ConsumerGroupId })
          }
        }
        marker = page.NextMarker
      } while (marker)
      return mappings
    },
    state: async (uuid) => (await client.send(new GetEventSourceMappingCommand({ UUID: uuid }))).State ?? 'unknown',
    enable: async (uuid, isEnabled) => {
      await client.send(new UpdateEventSourceMappingCommand({ UUID: uuid, Enabled: isEnabled }))
    },
  }
}
