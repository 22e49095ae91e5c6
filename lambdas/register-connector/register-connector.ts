import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import type { Pool } from 'pg'
import { type ConnectApi, ConnectUnreachableError } from '#adapters/connect/connect-api.ts'
import { connectorConfiguration, PUBLICATION } from '#adapters/connect/connector-configuration.ts'
import {
  CONNECTOR,
  makeWithin,
  PlaceLostError,
  removeSlot,
  runConnector,
  stopConnector,
  type Within,
} from '#adapters/connect/running-connector.ts'
import { currentEpoch, dropPublication, publishedTables, slotsBefore } from '#adapters/postgres/capture/replication.ts'
import { readConnectorProperties } from './environment.ts'

export type RegisterConnector = {
  connect: ConnectApi
  /** The source, as its administrator. The pool is ended after each event. */
  openSource: () => Pool
  /** Milliseconds left for the work. */
  remainingMs: () => number
  print: (line: string) => void
}

/**
 * Create and Update: when this resolves, the connector and its tasks run with the present configuration, and slots of
 * earlier epochs are dropped. The epoch is that of the source. Delete: the connector, its stored offsets, the slots and
 * the publication are removed. Throws an Error that says what did not happen in time, or why the connector failed,
 * unless only a recovery resolves it.
 */
export async function registerConnector(
  event: CloudFormationCustomResourceEvent,
  { connect, openSource, remainingMs, print }: RegisterConnector,
): Promise<void> {
  const source = openSource()
  const within = makeWithin(remainingMs)
  try {
    const properties = readConnectorProperties(event.ResourceProperties)
    if (event.RequestType === 'Delete') return await remove(connect, source, within)
    // A recovery may have begun a later epoch than the one that the deployment names.
    const current = await currentEpoch(source)
    const published = current.readsBySignal ? [] : await publishedTables(source, PUBLICATION)
    const configuration = connectorConfiguration({ ...settingsOf(properties), epoch: current.epoch, published })
    try {
      await runConnector(configuration, connect, within)
    } catch (error) {
      // The deployment goes on, because recover-capture is part of the stack and reports that capture is down.
      if (!(error instanceof PlaceLostError)) throw error
      print(`${error.message}. Nothing is captured until then.`)
    }
    for (const slot of await slotsBefore(source, current.epoch)) await removeSlot(slot, source, within)
  } finally {
    await source.end()
  }
}

const settingsOf = (properties: ReturnType<typeof readConnectorProperties>) => ({
  topic: properties.Topic,
  topicPartitions: properties.TopicPartitions,
  captured: properties.Captured,
  database: {
    host: properties.Database.Host,
    port: properties.Database.Port,
    name: properties.Database.Name,
    tls: properties.Database.Tls,
  },
})

async function remove(connect: ConnectApi, source: Pool, within: Within): Promise<void> {
  try {
    await stopConnector(connect, within)
    // Offsets outlive a connector. The next one of this epoch would go on from them, with a slot that begins later.
    await connect.deleteOffsets(CONNECTOR)
    await connect.delete(CONNECTOR)
  } catch (error) {
    // Without Connect there is no connector. The source shows whether something still reads the slot.
    if (!(error instanceof ConnectUnreachableError)) throw error
  }
  for (const slot of await slotsBefore(source, Number.POSITIVE_INFINITY)) await removeSlot(slot, source, within)
  await dropPublication(source, PUBLICATION)
}
