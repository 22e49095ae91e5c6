import { type Beacon, EnvelopeError, type Incoming, readRecord } from '#core/envelope.ts'
import { WireError } from '#core/wire-json.ts'

/** What a record of the beacons' table says, read once. */
export type ArchivedBeacon = {
  /** Only a streamed one counts: those that a reading reads precede its rows. */
  readonly beacon: Beacon | undefined
  /** The epoch whose initial snapshot has read it. */
  readonly begunEpoch: number | undefined
}

/** Of what is no beacon both are undefined. */
export function readBeacon(value: string | null): ArchivedBeacon {
  const incoming = read(value)
  const isInitial = incoming?.kind === 'read beacon' && incoming.beacon.reading === null
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
    // Whoever applies it keeps it in quarantine.
    if (error instanceof EnvelopeError || error instanceof WireError) return undefined
    throw error
  }
}
