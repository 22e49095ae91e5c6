import { BEACON_OVERDUE_MS } from '../recovery/beacon-age.ts'
import { isOfStuckStart } from '../recovery/connector-findings.ts'
import type { CaptureState } from '../recovery/diagnosis.ts'
import { NOTHING_IS_CAPTURED } from '../recovery/finding.ts'
import { failureOf } from '../recovery/java-trace.ts'
import type { ConnectorStatus } from './health.ts'
import type { Latest, TargetObservation } from './observations.ts'

/** Whether changes of the source are captured, the reason if not, and the command that resolves it. */
export type CaptureStatus = {
  state: CaptureState
  cause: string | null
  /** The consequence for the target. */
  follows: string | null
  /** Null if capture continues by itself. */
  command: string | null
  /** ISO 8601; null until the function recover-capture has seen it. */
  since: string | null
}

/** How the cause begins while Connect cannot be asked. */
export const CONNECT_IS_SILENT = 'Kafka Connect does not answer'

const running: CaptureStatus = { state: 'running', cause: null, follows: null, command: null, since: null }

/** The signs by which capture is judged. */
export type CaptureSigns = {
  connector: Latest<ConnectorStatus | undefined>
  /** The result of the last look of recover-capture, which may be a minute old. */
  health: TargetObservation['captureHealth']
  /** Whether a topic partition of `changes` is stopped. */
  isStopped: boolean
  /** Whether a process reads the replication slot. */
  isSlotRead: boolean
  /** The age of the newest beacon if only capture can be the reason why none is newer; otherwise null. */
  beaconAgeMs: number | null
}

/**
 * The present state of capture. The last look has the better explanation, but is used only if it agrees with what is
 * seen now, because the problem may have been repaired since.
 */
export function describeCapture({
  connector,
  health,
  isStopped,
  isSlotRead,
  beaconAgeMs,
}: CaptureSigns): CaptureStatus {
  const found = health?.state === 'down' ? health : undefined
  const down = (cause: string): CaptureStatus => ({
    state: 'down',
    cause: found?.cause ?? cause,
    follows: found?.follows ?? NOTHING_IS_CAPTURED,
    command: 'npm run recover',
    since: found?.since ?? null,
  })
  const starting = (cause: string): CaptureStatus => ({
    ...running,
    state: 'starting',
    cause,
    follows: NOTHING_IS_CAPTURED,
  })
  if (connector.error !== undefined) return starting(`${CONNECT_IS_SILENT}: ${connector.error}`)
  if (connector.value === undefined) {
    return 'value' in connector ? down('no connector is registered with Kafka Connect') : starting('not looked at yet')
  }
  const parts = [connector.value.connector, ...connector.value.tasks]
  const failed = parts.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) return down(`the connector's task failed: ${failureOf(failed.trace)}`)
  const held = parts.find(({ state }) => state === 'STOPPED' || state === 'PAUSED')
  if (held !== undefined) return down(`the connector is ${held.state.toLowerCase()}`)
  if (connector.value.tasks.length === 0 || parts.some(({ state }) => state !== 'RUNNING')) {
    return isOfStuckStart(found?.cause ?? null) ? down(found!.cause!) : starting('the connector is starting')
  }
  if (beaconAgeMs !== null && beaconAgeMs > BEACON_OVERDUE_MS) {
    const seconds = Math.round(beaconAgeMs / 1_000)
    return down(`no beacon has come for ${seconds} s, though the connector says that it runs`)
  }
  return (isStopped || !isSlotRead) && found !== undefined ? down(found.cause ?? '') : running
}
