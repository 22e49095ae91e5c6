import { type Beacon, EnvelopeError, readRecord } from '#core/envelope.ts'
import { WireError } from '#core/wire-json.ts'

/** The beacon that a record is, undefined for any other. Only a streamed one counts: those that a reading reads precede its rows. */
export function beaconOf(value: string | null): Beacon | undefined {
  if (value === null) return undefined
  try {
    const incoming = readRecord(value)
    return incoming.kind === 'beacon' ? incoming.beacon : undefined
  } catch (error) {
    // Whoever applies it keeps it in quarantine.
    if (error instanceof EnvelopeError || error instanceof WireError) return undefined
    throw error
  }
}
