import { BEACON_OVERDUE_MS, newestBeaconAgeMs } from './beacon-age.ts'
import type { CaptureFacts, ConnectorFacts } from './capture-facts.ts'
import { type Finding, NOTHING_IS_CAPTURED, READERS_SEE_THE_LAST_STATE } from './finding.ts'
import { failureOf } from './java-trace.ts'

/** A finding about the connector, and whether a finding about the source or the topics explains it. */
export type ConnectorFinding = Finding & { readonly isExplainedByOthers: boolean }

const waiting = { follows: NOTHING_IS_CAPTURED, readers: READERS_SEE_THE_LAST_STATE, stopsCapture: true } as const

/** Findings from the state of the connector and its task, and from missing beacons while both are said to run. */
export function connectorFindings(facts: CaptureFacts): ConnectorFinding[] {
  const { connector } = facts
  if ('error' in connector) {
    return [
      {
        ...waiting,
        cause: `Kafka Connect is out of reach: ${connector.error}`,
        action:
          'It is restarted automatically, and then capture goes on. If it ends repeatedly, its log says why. A row that does not fit into its heap needs a larger heapMiB.',
        repair: null,
        isExplainedByOthers: false,
      },
    ]
  }
  if (connector.value === undefined) {
    return [
      {
        ...waiting,
        cause: 'no connector is registered with Kafka Connect: somebody deleted it',
        action: 'It is registered again and goes on where the one before stopped.',
        repair: { kind: 'register connector' },
        isExplainedByOthers: true,
      },
    ]
  }
  const late = overdue(facts, connector.value)
  return late.length > 0 ? late : stateFindings(connector.value)
}

function stateFindings(connector: ConnectorFacts): ConnectorFinding[] {
  const parts = [{ state: connector.state, trace: connector.trace }, ...connector.tasks]
  const failed = parts.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) {
    return [
      {
        ...waiting,
        cause: `the connector's task failed: ${failureOf(failed.trace)}`,
        action: 'The task is started again. Tidemark also does this by itself, at growing intervals.',
        repair: { kind: 'restart task' },
        isExplainedByOthers: true,
      },
    ]
  }
  const held = parts.find(({ state }) => state === 'STOPPED' || state === 'PAUSED')
  if (held !== undefined) {
    return [
      {
        ...waiting,
        cause: `the connector is ${held.state.toLowerCase()}: somebody stopped it, or a deployment or recovery was interrupted`,
        action: 'It is registered again and started.',
        repair: { kind: 'register connector' },
        isExplainedByOthers: true,
      },
    ]
  }
  if (connector.tasks.length > 0 && parts.every(({ state }) => state === 'RUNNING')) return []
  return [
    {
      ...waiting,
      cause: `the connector is starting: ${parts.map(({ state }) => state).join(', ')}`,
      action: 'Capture goes on once its task runs.',
      repair: null,
      isExplainedByOthers: true,
    },
  ]
}

/** How the cause ends when a connector does not get beyond starting. */
const STILL_STARTING = ', and the connector is still starting'

/** Whether the cause is that a connector does not get beyond starting. */
export const isOfStuckStart = (cause: string | null): boolean => cause?.endsWith(STILL_STARTING) ?? false

/**
 * The time that a connector may need to start. Connect gives it to another worker five minutes after its worker has
 * left.
 */
const STARTING_OVERDUE_MS = 600_000

/** A connector that runs and sends nothing, or never starts, shows no error, so only missing beacons reveal it. */
function overdue(facts: CaptureFacts, connector: ConnectorFacts): ConnectorFinding[] {
  const states = [connector.state, ...connector.tasks.map(({ state }) => state)]
  // The states of failed and stopped parts have findings of their own.
  if (states.some((state) => state === 'FAILED' || state === 'STOPPED' || state === 'PAUSED')) return []
  const runs = states.every((state) => state === 'RUNNING')
  const ageMs = newestBeaconAgeMs(facts)
  if (ageMs === null || ageMs <= (runs ? BEACON_OVERDUE_MS : STARTING_OVERDUE_MS)) return []
  const contrast = runs ? ', though the connector says that it runs' : STILL_STARTING
  return [
    {
      ...waiting,
      cause: `no beacon has come for ${Math.round(ageMs / 1_000)} s${contrast}`,
      action: 'The connector and its task are started again.',
      repair: { kind: 'restart connector' },
      isExplainedByOthers: true,
    },
  ]
}
