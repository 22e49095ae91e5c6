import { type Beacon, EnvelopeError, type Incoming, readRecord } from '#core/envelope.ts'
import { WireError } from '#core/wire-json.ts'

/** The beacon that a record is, undefined for any other. Only a streamed one counts: those that a reading reads precede its rows. */
export function beaconOf(value: string | null): Beacon | undefined {
  const incoming = read(value)
  return incoming?.kind === 'beacon' ? incoming.beacon : undefined
}

/** The epoch whose initial snapshot has read the beacon that a record is; undefined for any other record. */
export function epochBegunBy(value: string | null): number | undefined {
  const incoming = read(value)
  return incoming?.kind === 'read beacon' && incoming.beacon.reading === null ? incoming.beacon.epoch : undefined
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
