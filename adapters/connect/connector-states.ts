import { firstLines } from '#core/recovery/java-trace.ts'
import type { ConnectorStatus } from '#core/status/health.ts'
import type { ConnectApi } from './connect-api.ts'

/**
 * The status of a connector; undefined if none is registered. A worker that starts answers for statuses before it has
 * read their topic, but for configurations only afterwards. So a missing status does not count while there is a
 * configuration.
 */
export async function statusOf(connect: Pick<ConnectApi, 'status' | 'configuration'>, name: string) {
  const status = await connect.status(name)
  if (status !== undefined) return status
  return (await connect.configuration(name)) === undefined ? undefined : unknownYet
}

const unknownYet: ConnectorStatus = { connector: { state: 'UNASSIGNED' }, tasks: [] }

/** The state of a connector that was asked to run. */
export type Progress = { kind: 'running' } | { kind: 'failed'; reason: string } | { kind: 'underway'; state: string }

/**
 * It is running only if its tasks are running too: a connector says RUNNING before it has a task, and also after its
 * task has failed.
 */
export function progressOf(status: ConnectorStatus | undefined): Progress {
  if (status === undefined) return { kind: 'underway', state: describeStates(status) }
  const parts = partsOf(status)
  const failed = parts.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) return { kind: 'failed', reason: `${failed.name} failed: ${firstLines(failed.trace)}` }
  if (status.tasks.length > 0 && parts.every(({ state }) => state === 'RUNNING')) return { kind: 'running' }
  return { kind: 'underway', state: describeStates(status) }
}

/** The states of the connector and of each task, as text for a person. */
export function describeStates(status: ConnectorStatus | undefined): string {
  if (status === undefined) return 'not known yet'
  const states = partsOf(status).map(({ name, state }) => `${name} ${state}`)
  return status.tasks.length === 0 ? `${states[0]}, no task` : states.join(', ')
}

const partsOf = ({ connector, tasks }: ConnectorStatus) => [
  { name: 'connector', ...connector },
  ...tasks.map((task) => ({ name: `task ${task.id}`, ...task })),
]

/** Whether a stopped connector's tasks have ended. */
export const hasStopped = (status: ConnectorStatus | undefined): boolean =>
  status === undefined || (status.connector.state === 'STOPPED' && status.tasks.length === 0)
