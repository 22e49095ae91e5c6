import { type Beacon, EnvelopeError, readRecord } from '#core/envelope.ts'

/** The beacon that a record is, undefined for any other. Only a streamed one counts: those that a reading reads precede its rows. */
export function beaconOf(value: string | null): Beacon | undefined {
  if (value === null) return undefined
  try {
    const incoming = readRecord(value)
    return incoming.kind === 'beacon' && incoming.position.phase === 1 ? incoming.beacon : undefined
  } catch (error) {
    // Whoever applies it keeps it in quarantine.
    if (error instanceof EnvelopeError || error instanceof SyntaxError) return undefined
    throw error
  }
}
