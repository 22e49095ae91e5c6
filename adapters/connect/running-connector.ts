import { setTimeout } from 'node:timers/promises'
import type { Pool } from 'pg'
import { dropSlot, findSlot } from '../postgres/capture/replication.ts'
import { type ConnectApi, ConnectUnreachableError } from './connect-api.ts'
import { continuing } from './connector-configuration.ts'
import { describeStates, hasStopped, progressOf } from './connector-states.ts'

/** Connect's name of the one connector. */
export const CONNECTOR = 'tidemark'

/** The task cannot go on where it stopped: the slot is gone or elsewhere. Only a recovery helps, which somebody is to ask for. */
export class PlaceLostError extends Error {
  override readonly name = 'PlaceLostError'
}

/** The end of what the task says then (cdk/capture/image/connector, SlotPlace). */
const ASKS_FOR_RECOVERY = 'Run npm run recover'

/**
 * The connector runs with this configuration, tasks included, when this resolves; one that does already is left alone.
 * Throws an Error that says what did not happen in time, or why the connector failed: a PlaceLostError where it has its
 * configuration and lacks the log from where it stopped.
 */
export async function runConnector(wanted: Record<string, string>, connect: ConnectApi, within: Within): Promise<void> {
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
  await stopConnector(connect, within)
  await connect.put(CONNECTOR, configuration)
  await connect.resume(CONNECTOR)
  await within(`connector ${CONNECTOR} and its task run`, async () => {
    const progress = progressOf(await connect.status(CONNECTOR))
    if (progress.kind === 'failed') {
      const message = `connector ${CONNECTOR}: ${progress.reason}`
      throw progress.reason.includes(ASKS_FOR_RECOVERY) ? new PlaceLostError(message) : new Error(message)
    }
    return progress.kind === 'running' ? { done: undefined } : { state: progress.state }
  })
}

/** Connect gives the configuration back with the connector's name in it. */
function sameSettings(present: Record<string, string>, wanted: Record<string, string>): boolean {
  const { name: _, ...settings } = present
  const keys = Object.keys(settings)
  return keys.length === Object.keys(wanted).length && keys.every((key) => settings[key] === wanted[key])
}

/** How often the status is read before Connect is told to stop once more: some five seconds. */
const LOOKS_BEFORE_STOP_AGAIN = 50

/**
 * Ends its task, and waits until it has ended. Connect goes on listing a task as running that took longer to end than the
 * worker's `task.shutdown.graceful.timeout.ms`, until it distributes tasks the next time: another stop makes it do so.
 */
export async function stopConnector(connect: ConnectApi, within: Within): Promise<void> {
  let looks = 0
  await within(`connector ${CONNECTOR} stops`, async () => {
    if (looks++ % LOOKS_BEFORE_STOP_AGAIN === 0) await connect.stop(CONNECTOR)
    const status = await connect.status(CONNECTOR)
    return hasStopped(status) ? { done: undefined } : { state: describeStates(status) }
  })
}

/** Drops a slot once nobody reads it. */
export async function removeSlot(slot: string, source: Pool, within: Within): Promise<void> {
  await within(`slot ${slot} is free`, async () => {
    const found = await findSlot(source, slot)
    return found?.activePid ? { state: `process ${found.activePid} reads it` } : { done: undefined }
  })
  await dropSlot(source, slot)
}

/** Asks again until an attempt is done. */
export type Within = <T>(what: string, attempt: () => Promise<{ done: T } | { state: string }>) => Promise<T>

const PAUSE_MS = 100

/** `remainingMs` gives the time left; an Error then says what was waited for and what was last seen. */
export const makeWithin =
  (remainingMs: () => number): Within =>
  async (what, attempt) => {
    for (;;) {
      const result = await attempt()
      if ('done' in result) return result.done
      if (remainingMs() < PAUSE_MS) throw new Error(`not in time: ${what}; last seen: ${result.state}`)
      await setTimeout(PAUSE_MS)
    }
  }
