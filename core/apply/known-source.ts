// Is a beacon from another source than the records before it?

import { ANOTHER_CLUSTER } from '../recovery/stop-reasons.ts'
import type { Beacon } from '../wire/change.ts'

/**
 * The source that a topic partition belongs to, as its newest beacon says. The values from a beacon are null before the
 * first beacon.
 */
export type KnownSource = {
  readonly systemIdentifier: string | null
  /** The epoch of the newest beacon. */
  readonly beaconEpoch: number | null
  /** Offset of the first record that is not applied. */
  readonly nextOffset: number
}

/**
 * Why the beacon, and the records with it, are not from the known source; undefined when they are. A beacon of another
 * cluster in the same epoch means that the source was replaced, or that the pipeline is connected to a wrong source.
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
