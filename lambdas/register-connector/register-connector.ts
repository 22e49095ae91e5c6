import { setTimeout } from 'node:timers/promises'
import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import type { Pool } from 'pg'
import { type ConnectApi, ConnectUnreachableError } from '#adapters/connect/connect-api.ts'
import { connectorConfiguration, continuing, PUBLICATION, slotName } from '#adapters/connect/connector-configuration.ts'
import { dropPublication, dropSlot, findSlot, publishedTables } from '#adapters/postgres/replication.ts'
import { hasStopped, progressOf } from './connector-states.ts'
import { readConnectorProperties } from './environment.ts'

/** Connect's name of the one connector. */
export const CONNECTOR = 'tidemark'

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
    await run(connectorConfiguration({ ...settingsOf(properties), published }), connect, within)
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

async function run(wanted: Record<string, string>, connect: ConnectApi, within: Within): Promise<void> {
  // A service that has just started is not in the network's names yet.
  const present = await within('Connect answers', async () => {
    try {
      return { done: (await connect.configuration(CONNECTOR)) ?? {} }
    } catch (error) {
      if (error instanceof ConnectUnreachableError) return { state: error.message }
      throw error
    }
  })
  const configuration = continuing(present, wanted)
  const unchanged = sameSettings(present, configuration)
  if (unchanged && progressOf(await connect.status(CONNECTOR)).kind === 'running') return

  // Stopped first: until Connect acts on a new configuration, the status it gives is the old tasks'.
  await stop(connect, within)
  await connect.put(CONNECTOR, configuration)
  await connect.resume(CONNECTOR)
  await within(`connector ${CONNECTOR} and its task run`, async () => {
    const progress = progressOf(await connect.status(CONNECTOR))
    if (progress.kind === 'failed') throw new Error(`connector ${CONNECTOR}: ${progress.reason}`)
    return progress.kind === 'running' ? { done: undefined } : { state: progress.state }
  })
}

/** Connect gives the configuration back with the connector's name in it. */
function sameSettings(present: Record<string, string>, wanted: Record<string, string>): boolean {
  const { name: _, ...settings } = present
  const keys = Object.keys(settings)
  return keys.length === Object.keys(wanted).length && keys.every((key) => settings[key] === wanted[key])
}

async function stop(connect: ConnectApi, within: Within): Promise<void> {
  await connect.stop(CONNECTOR)
  await within(`connector ${CONNECTOR} stops`, async () => {
    const status = await connect.status(CONNECTOR)
    return hasStopped(status) ? { done: undefined } : { state: progressOf(status).kind }
  })
}

async function remove(epoch: number, connect: ConnectApi, source: Pool, within: Within): Promise<void> {
  try {
    await stop(connect, within)
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

async function removeSlot(slot: string, source: Pool, within: Within): Promise<void> {
  await within(`slot ${slot} is free`, async () => {
    const found = await findSlot(source, slot)
    return found?.activePid ? { state: `process ${found.activePid} reads it` } : { done: undefined }
  })
  await dropSlot(source, slot)
}

/** Asks again until an attempt is done. */
type Within = <T>(what: string, attempt: () => Promise<{ done: T } | { state: string }>) => Promise<T>

const PAUSE_MS = 100

const makeWithin =
  (remainingMs: () => number): Within =>
  async (what, attempt) => {
    for (;;) {
      const result = await attempt()
      if ('done' in result) return result.done
      if (remainingMs() < PAUSE_MS) throw new Error(`not in time: ${what}; last seen: ${result.state}`)
      await setTimeout(PAUSE_MS)
    }
  }
