import {
  GetEventSourceMappingCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda'

/** An event source mapping of Kafka. */
export type TopicMapping = { uuid: string; topic: string; group: string }

export type EventSourceMappings = {
  /** The mappings that feed the function with records of a topic. */
  list(functionName: string): Promise<TopicMapping[]>
  /** The state in Lambda's words: `Enabled`, `Disabled`, or a state between them, such as `Enabling`. */
  state(uuid: string): Promise<string>
  /** Asks Lambda to enable or disable the mapping. The mapping reaches that state some time later. */
  enable(uuid: string, isEnabled: boolean): Promise<void>
}

/** Lists, reads and switches Lambda's event source mappings. Throws the errors of the client. */
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
