import { type Beacon, EnvelopeError, type Incoming, readRecord } from '#core/wire/change.ts'
import { WireError } from '#core/wire/wire-json.ts'

/** The facts in a record of the beacon table. */
export type ArchivedBeacon = {
  /** Set only for a streamed beacon. Beacons that a snapshot reads come before the rows of the snapshot. */
  readonly beacon: Beacon | undefined
  /** The epoch whose initial snapshot has read the beacon. */
  readonly begunEpoch: number | undefined
}

/** Reads a record. Both members are undefined if it is not a beacon. */
export function readBeacon(value: string | null): ArchivedBeacon {
  const incoming = read(value)
  const isInitial = incoming?.kind === 'read beacon' && incoming.beacon.snapshotOf === null
  return {
    beacon: incoming?.kind === 'beacon' ? incoming.beacon : undefined,
    begunEpoch: isInitial ? incoming.beacon.epoch : undefined,
  }
}

function read(value: string | null): Incoming | undefined {
  if (value === null) return undefined
  try {
    return readRecord(value)
  } catch (error) {
    // The record is quarantined when it is applied.
    if (error instanceof EnvelopeError || error instanceof WireError) return undefined
    throw error
  }
}
