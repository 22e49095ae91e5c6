import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import type { Pool } from 'pg'
import { type ConnectApi, ConnectUnreachableError } from '#adapters/connect/connect-api.ts'
import { connectorConfiguration, PUBLICATION, slotName } from '#adapters/connect/connector-configuration.ts'
import {
  CONNECTOR,
  makeWithin,
  removeSlot,
  runConnector,
  stopConnector,
  type Within,
} from '#adapters/connect/running-connector.ts'
import { dropPublication, publishedTables } from '#adapters/postgres/replication.ts'
import { readConnectorProperties } from './environment.ts'

export type RegisterConnector = {
  connect: ConnectApi
  /** The source, as its administrator; ended after each event. */
  openSource: () => Pool
  /** Milliseconds left for the work. */
  remainingMs: () => number
}

/**
 * Create and Update: the connector runs with its present configuration, tasks included, when this resolves; a slot of an
 * earlier epoch is gone. Delete: connector, its stored offsets, slot and publication are gone.
 * Throws an Error that says what did not happen in time, or why the connector failed.
 */
export async function registerConnector(
  event: CloudFormationCustomResourceEvent,
  { connect, openSource, remainingMs }: RegisterConnector,
): Promise<void> {
  const source = openSource()
  const within = makeWithin(remainingMs)
  try {
    const properties = readConnectorProperties(event.ResourceProperties)
    const { Epoch: epoch } = properties
    if (event.RequestType === 'Delete') return await remove(epoch, connect, source, within)

    const before = event.RequestType === 'Update' ? readConnectorProperties(event.OldResourceProperties).Epoch : epoch
    // The target takes nothing older than what it has: an earlier epoch would run and change nothing.
    if (epoch < before) throw new Error(`epoch ${epoch} is below ${before}: epochs only count up, deploy ${before + 1}`)
    const published = await publishedTables(source, PUBLICATION)
    await runConnector(connectorConfiguration({ ...settingsOf(properties), published }), connect, within)
    if (epoch > before) await removeSlot(slotName(before), source, within)
  } finally {
    await source.end()
  }
}

const settingsOf = (properties: ReturnType<typeof readConnectorProperties>) => ({
  epoch: properties.Epoch,
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

async function remove(epoch: number, connect: ConnectApi, source: Pool, within: Within): Promise<void> {
  try {
    await stopConnector(connect, within)
    // Offsets outlive a connector; the next one of this epoch would go on from them, with a slot that begins later.
    await connect.deleteOffsets(CONNECTOR)
    await connect.delete(CONNECTOR)
  } catch (error) {
    // Without Connect there is no connector; whether something still reads the slot, the source tells.
    if (!(error instanceof ConnectUnreachableError)) throw error
  }
  await removeSlot(slotName(epoch), source, within)
  await dropPublication(source, PUBLICATION)
}
