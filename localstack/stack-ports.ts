import type { Port } from './processes/ports.ts'
import { brokerNodes } from './servers/kafka/broker-nodes.ts'
import type { Settings } from './settings.ts'

/** The ports on which the servers of a stack listen, what uses each, and the variable that chooses another. */
export function portsOf(settings: Settings): Port[] {
  const { postgresPort, connectPort, objectStorePort, catalogPort, endpointPort } = settings
  const embedded = [settings.sourceUrl, settings.targetUrl].filter((url) => url === undefined)
  return [
    ...embedded.map((_, index) => ({
      number: postgresPort + index,
      usedBy: 'Postgres',
      variable: 'TIDEMARK_POSTGRES_PORT',
    })),
    ...(settings.kafkaBootstrap === undefined ? brokerNodes(settings) : []).flatMap(({ port, controllerPort }) => [
      { number: port, usedBy: 'Kafka', variable: 'TIDEMARK_KAFKA_PORT' },
      { number: controllerPort, usedBy: "Kafka's controller", variable: 'TIDEMARK_KAFKA_PORT' },
    ]),
    { number: connectPort, usedBy: 'Kafka Connect', variable: 'TIDEMARK_CONNECT_PORT' },
    { number: objectStorePort, usedBy: 'the object store', variable: 'TIDEMARK_OBJECT_STORE_PORT' },
    { number: catalogPort, usedBy: 'the Iceberg catalog', variable: 'TIDEMARK_CATALOG_PORT' },
    { number: endpointPort, usedBy: 'the endpoint', variable: 'TIDEMARK_ENDPOINT_PORT' },
  ]
}
