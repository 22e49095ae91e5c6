import type { ConnectorStatus } from '#adapters/connect/connect-api.ts'
import { BEACON_OVERDUE_MS } from '#core/recovery/beacon-age.ts'
import type { CaptureState } from '#core/recovery/diagnosis.ts'
import { NOTHING_IS_CAPTURED } from '#core/recovery/finding.ts'
import { failureOf } from '#core/recovery/java-trace.ts'
import type { Latest } from './repeated-observation.ts'
import type { TargetObservation } from './target-observation.ts'

/** Whether changes of the source are captured, why not, and what resolves it. */
export type CaptureStatus = {
  state: CaptureState
  cause: string | null
  /** What that does to the copy. */
  follows: string | null
  /** Null where it goes on by itself. */
  command: string | null
  /** ISO 8601; null before the function recover-capture has seen it. */
  since: string | null
}

const running: CaptureStatus = { state: 'running', cause: null, follows: null, command: null, since: null }

/** What capture is judged by. */
export type CaptureSigns = {
  connector: Latest<ConnectorStatus | undefined>
  /** What the last look of recover-capture found; it may be a minute old. */
  health: TargetObservation['captureHealth']
  /** Whether a topic partition of changes is not applied further. */
  isStopped: boolean
  /** Whether somebody reads the replication slot. */
  isSlotRead: boolean
  /** Age of the newest beacon, where only capture can be why there is none newer; null otherwise. */
  beaconAgeMs: number | null
}

/**
 * How capture is at this moment. The last look says why in more depth, and counts only where what is seen now agrees with
 * it: what was repaired since is not down.
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
  if (connector.error !== undefined) return starting(`Kafka Connect does not answer: ${connector.error}`)
  if (connector.value === undefined) {
    return 'value' in connector ? down('no connector is registered with Kafka Connect') : starting('not looked at yet')
  }
  const parts = [connector.value.connector, ...connector.value.tasks]
  const failed = parts.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) return down(`the connector's task failed: ${failureOf(failed.trace)}`)
  const held = parts.find(({ state }) => state === 'STOPPED' || state === 'PAUSED')
  if (held !== undefined) return down(`the connector is ${held.state.toLowerCase()}`)
  if (connector.value.tasks.length === 0 || parts.some(({ state }) => state !== 'RUNNING')) {
    return starting('the connector is starting')
  }
  if (beaconAgeMs !== null && beaconAgeMs > BEACON_OVERDUE_MS) {
    const seconds = Math.round(beaconAgeMs / 1_000)
    return down(`no beacon has come for ${seconds} s, though the connector says that it runs`)
  }
  return (isStopped || !isSlotRead) && found !== undefined ? down(found.cause ?? '') : running
}
