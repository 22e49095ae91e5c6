import { setTimeout } from 'node:timers/promises'
import type { Pool } from 'pg'
import { dropSlot, findSlot } from '../postgres/capture/replication.ts'
import { type ConnectApi, ConnectUnreachableError } from './connect-api.ts'
import { continuing } from './connector-configuration.ts'
import { describeStates, hasStopped, progressOf } from './connector-states.ts'

/** Connect's name of the one connector. */
export const CONNECTOR = 'tidemark'

/**
 * The task cannot continue where it stopped, because the slot is gone or at another position. Only a recovery resolves
 * this, and a person has to ask for it.
 */
export class PlaceLostError extends Error {
  override readonly name = 'PlaceLostError'
}

/** The end of the task's error message in this case (cdk/capture/image/connector, SlotPlace). */
const ASKS_FOR_RECOVERY = 'Run npm run recover'

/**
 * Resolves when the connector and its tasks run with this configuration. A connector that already runs with it is not
 * restarted. Throws a PlaceLostError if the log after the position where the connector stopped is missing, and
 * otherwise an Error which says what was not done in time, or why the connector failed.
 */
export async function runConnector(wanted: Record<string, string>, connect: ConnectApi, within: Within): Promise<void> {
  // The name of a service that has just started is not in DNS yet, so this waits for an answer.
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

  // The connector is stopped first, because until Connect applies a new configuration, its status is that of the old
  // tasks.
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

/** The configuration that Connect returns also has the connector's name in it, which is not compared. */
function sameSettings(present: Record<string, string>, wanted: Record<string, string>): boolean {
  const { name: _, ...settings } = present
  const keys = Object.keys(settings)
  return keys.length === Object.keys(wanted).length && keys.every((key) => settings[key] === wanted[key])
}

/** The number of status requests before Connect is asked again to stop the connector. They take about five seconds. */
const LOOKS_BEFORE_STOP_AGAIN = 50

/**
 * Ends the connector's task, and resolves when it has ended. If a task needs longer to end than the worker's
 * `task.shutdown.graceful.timeout.ms`, Connect lists it as running until the next time it distributes tasks. Another
 * stop makes it do so.
 */
export async function stopConnector(connect: ConnectApi, within: Within): Promise<void> {
  let looks = 0
  await within(`connector ${CONNECTOR} stops`, async () => {
    if (looks++ % LOOKS_BEFORE_STOP_AGAIN === 0) await connect.stop(CONNECTOR)
    const status = await connect.status(CONNECTOR)
    return hasStopped(status) ? { done: undefined } : { state: describeStates(status) }
  })
}

/** Drops a slot as soon as no process reads it. */
export async function removeSlot(slot: string, source: Pool, within: Within): Promise<void> {
  await within(`slot ${slot} is free`, async () => {
    const found = await findSlot(source, slot)
    return found?.activePid ? { state: `process ${found.activePid} reads it` } : { done: undefined }
  })
  await dropSlot(source, slot)
}

/** Repeats an attempt until its result is `done`. */
export type Within = <T>(what: string, attempt: () => Promise<{ done: T } | { state: string }>) => Promise<T>

const PAUSE_MS = 100

/**
 * Repeats attempts until the time that `remainingMs` returns is used up. Then throws an Error that names what was
 * waited for and the last state.
 */
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
