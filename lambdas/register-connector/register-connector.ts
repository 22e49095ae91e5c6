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
  /** The source, as its administrator; ended after each event. */
  openSource: () => Pool
  /** Milliseconds left for the work. */
  remainingMs: () => number
  print: (line: string) => void
}

/**
 * Create and Update: the connector runs with its present configuration, tasks included, when this resolves; a slot of an
 * earlier epoch is gone. The epoch is the source's. Delete: connector, its stored offsets, slot and publication are gone.
 * Throws an Error that says what did not happen in time, or why the connector failed, unless a recovery alone helps.
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
    // A recovery may have begun a later one than the deployment names.
    const current = await currentEpoch(source)
    const published = current.readsBySignal ? [] : await publishedTables(source, PUBLICATION)
    const configuration = connectorConfiguration({ ...settingsOf(properties), epoch: current.epoch, published })
    try {
      await runConnector(configuration, connect, within)
    } catch (error) {
      // The stack is deployed all the same: what recovers capture is part of it, and tells that it is down.
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
    // Offsets outlive a connector; the next one of this epoch would go on from them, with a slot that begins later.
    await connect.deleteOffsets(CONNECTOR)
    await connect.delete(CONNECTOR)
  } catch (error) {
    // Without Connect there is no connector; whether something still reads the slot, the source tells.
    if (!(error instanceof ConnectUnreachableError)) throw error
  }
  for (const slot of await slotsBefore(source, Number.POSITIVE_INFINITY)) await removeSlot(slot, source, within)
  await dropPublication(source, PUBLICATION)
}
