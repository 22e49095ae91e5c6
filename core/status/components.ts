import type { ComponentHealth, ConnectorStatus, FunctionHealth, MappingHealth, MappingState } from './health.ts'
import type { Latest } from './observations.ts'

/** One part of the running stack. `idle` is a function that was not called for a while. */
export type Component = {
  kind: 'server' | 'mapping' | 'function'
  name: string
  state: 'healthy' | 'idle' | 'starting' | 'restarting' | 'failing' | 'stopped'
  restarts: number
  /** The number of failed invocations of a function. */
  errors: number
  lastError?: string
  /** For a function that fails at present: since when (ISO 8601). */
  failingSince?: string
}

/** The facts from which components are described. */
export type ComponentParts = {
  services: ComponentHealth[]
  functions: FunctionHealth[]
  mappings: MappingHealth[]
  connector: Latest<ConnectorStatus | undefined>
  /** Other things that the status observes, under the name that is shown if they do not answer. */
  observed: Readonly<Record<string, Latest<unknown>>>
}

/** The state of a component for each state of a mapping without failures. */
const mappingStates: Readonly<Record<MappingState, Component['state']>> = {
  Creating: 'starting',
  Enabling: 'starting',
  Enabled: 'healthy',
  Updating: 'starting',
  Reconnecting: 'restarting',
  Disabling: 'stopped',
  Disabled: 'stopped',
  Deleting: 'stopped',
  Deleted: 'stopped',
}

/** Servers, mappings and functions, and everything that could not be observed. */
export function describeComponents({
  services,
  functions,
  mappings,
  connector,
  observed,
}: ComponentParts): Component[] {
  const well = { restarts: 0, errors: 0 }
  return [
    ...services.map(
      ({ name, state, restarts, lastError }): Component => ({
        ...{ kind: 'server', name, state, restarts, errors: 0 },
        ...withError(lastError),
      }),
    ),
    { kind: 'server', name: 'connector', ...well, ...describeConnector(connector) },
    ...Object.entries(observed).flatMap(([name, { error }]): Component[] =>
      error === undefined ? [] : [{ kind: 'server', name, state: 'failing', ...well, lastError: error }],
    ),
    ...mappings.map(({ topic, functionName, state, lastError }): Component => {
      const health = state === 'Enabled' && lastError !== undefined ? 'failing' : mappingStates[state]
      const name = `${topic} to ${shortName(functionName)}`
      return { kind: 'mapping', name, state: health, ...well, ...withError(lastError) }
    }),
    ...functions.map(describeFunction),
  ]
}

function describeFunction({ name, errors, isIdle, failing }: FunctionHealth): Component {
  const common = { kind: 'function', name: shortName(name), restarts: 0, errors } as const
  if (failing === undefined) return { ...common, state: isIdle ? 'idle' : 'healthy' }
  return { ...common, state: 'failing', lastError: failing.error, failingSince: failing.since }
}

/** Whether a component works. */
export const isWell = ({ state }: Component): boolean => state === 'healthy' || state === 'idle'

/** The last error of a component that fails now. */
export function lastErrorOf(components: readonly Component[]): string | null {
  const failing = components.find((each) => !isWell(each) && each.lastError !== undefined)
  return failing === undefined ? null : `${failing.name}: ${failing.lastError}`
}

/** The last error of a component that works again. */
export function healedErrorOf(components: readonly Component[]): string | null {
  const healed = components.find((each) => isWell(each) && each.lastError !== undefined)
  return healed === undefined ? null : `${healed.name}, which runs again: ${healed.lastError}`
}

/** `producer` for `tidemark-local-producer` and for its ARN. */
export function shortName(functionName: string): string {
  return functionName.replace(/^.*:/, '').replace(/^tidemark-[a-z]+-/, '')
}

function describeConnector({
  value,
  error,
}: Latest<ConnectorStatus | undefined>): Pick<Component, 'state' | 'lastError'> {
  if (error !== undefined) return { state: 'failing', lastError: error }
  if (value === undefined) return { state: 'starting' }
  // The tasks are checked as well, because a connector whose task has failed still says RUNNING.
  const parts = [value.connector, ...value.tasks]
  const failed = parts.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) return { state: 'failing', ...withError(failed.trace?.split('\n')[0]) }
  const isRunning = value.tasks.length > 0 && parts.every(({ state }) => state === 'RUNNING')
  return { state: isRunning ? 'healthy' : 'starting' }
}

function withError(lastError: string | undefined): { lastError?: string } {
  return lastError === undefined ? {} : { lastError }
}
