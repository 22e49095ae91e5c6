import type { Beacon } from '../envelope.ts'
import { ANOTHER_CLUSTER } from '../recovery/stop-reasons.ts'

/** The source that a topic partition belongs to, as its newest beacon said; nulls before the first. */
export type KnownSource = {
  readonly systemIdentifier: string | null
  /** The epoch of the newest beacon. */
  readonly beaconEpoch: number | null
  /** The place of the first record that is not applied. */
  readonly nextOffset: number
}

/**
 * Why what came with the beacon is not of the source that is known, or undefined. A beacon of another cluster in the same
 * epoch means that the source was exchanged, or that the pipeline was miswired.
 */
export function anotherSource(
  beacon: Beacon | undefined,
  { systemIdentifier, beaconEpoch }: Omit<KnownSource, 'nextOffset'>,
): string | undefined {
  if (beacon === undefined || systemIdentifier === null || systemIdentifier === beacon.systemIdentifier)
    return undefined
  if (beacon.epoch > (beaconEpoch ?? 0)) return undefined
  return `${ANOTHER_CLUSTER} (${beacon.systemIdentifier}) than before (${systemIdentifier})`
}
