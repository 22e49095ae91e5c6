import type { ConnectorStatus } from '#adapters/connect/connect-api.ts'
import type { ComponentHealth, FunctionHealth, MappingHealth } from '#localstack/engine.ts'
import type { Latest } from './repeated-observation.ts'

/** One part of the running stack. `idle`: a function nobody has called for a while. */
export type Component = {
  kind: 'server' | 'mapping' | 'function'
  name: string
  state: 'healthy' | 'idle' | 'starting' | 'restarting' | 'failing' | 'stopped'
  restarts: number
  /** Failed invocations of a function. */
  errors: number
  lastError?: string
}

/** What components are described from. */
export type ComponentParts = {
  services: ComponentHealth[]
  functions: FunctionHealth[]
  mappings: MappingHealth[]
  connector: Latest<ConnectorStatus | undefined>
  /** What the status looks at beside, by the name that it is told under where it does not answer. */
  observed: Readonly<Record<string, Latest<unknown>>>
}

/** What a mapping is that nothing has failed for. */
const mappingStates: Readonly<Record<MappingHealth['state'], Component['state']>> = {
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

/** Servers, mappings and functions, and what could not be looked at. */
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
    ...functions.map(
      ({ name, processes, errors }): Component => ({
        ...{ kind: 'function', name: shortName(name), state: processes.length > 0 ? 'healthy' : 'idle' },
        ...{ restarts: 0, errors },
      }),
    ),
  ]
}

/** Whether it does what it is there for. */
export const isWell = ({ state }: Component): boolean => state === 'healthy' || state === 'idle'

/** The last error, of what fails now rather than of what has recovered. */
export function lastErrorOf(components: readonly Component[]): string | null {
  const failing = components.find((each) => !isWell(each) && each.lastError !== undefined)
  const told = failing ?? components.find(({ lastError }) => lastError !== undefined)
  return told === undefined ? null : `${told.name}: ${told.lastError}`
}

/** `tidemark-local-producer` and its ARN are `producer`. */
export function shortName(functionName: string): string {
  return functionName.replace(/^.*:/, '').replace(/^tidemark-[a-z]+-/, '')
}

function describeConnector({
  value,
  error,
}: Latest<ConnectorStatus | undefined>): Pick<Component, 'state' | 'lastError'> {
  if (error !== undefined) return { state: 'failing', lastError: error }
  if (value === undefined) return { state: 'starting' }
  // A failed task leaves its connector RUNNING.
  const parts = [value.connector, ...value.tasks]
  const failed = parts.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) return { state: 'failing', ...withError(failed.trace?.split('\n')[0]) }
  const isRunning = value.tasks.length > 0 && parts.every(({ state }) => state === 'RUNNING')
  return { state: isRunning ? 'healthy' : 'starting' }
}

function withError(lastError: string | undefined): { lastError?: string } {
  return lastError === undefined ? {} : { lastError }
}
