import type { Beacon } from '../envelope.ts'
import { formatLsn, type Lsn, parseLsn } from '../lsn.ts'

/** How the reason begins for which a topic partition stops where a beacon is of another log of the source. */
export const SOURCE_WENT_BACK = 'the source went back'

/** How the reason begins for which a topic partition stops where beacons are missing. */
export const CHANGES_ARE_MISSING = 'changes of the source are missing'

/** Whether a stop's reason is that what comes is not of the log that was applied before. */
export const isOfBrokenLog = (reason: string): boolean =>
  reason.startsWith(SOURCE_WENT_BACK) || reason.startsWith(CHANGES_ARE_MISSING)

/** Each beacon comes in each topic partition; a number that is further away was never emitted. */
const mostBeaconsMissed = 1_000_000

export type KnownBeacon = { readonly number: number; readonly lsn: Lsn; readonly emittedMs?: number | undefined }

/**
 * The beacons of one epoch that were delivered, as far back as records may come again. Each beacon names the one before it, and
 * each comes in each topic partition: so they tell whether what is delivered is still the same log.
 */
export class BeaconLog {
  #beacons: KnownBeacon[]

  constructor(beacons: readonly KnownBeacon[] = []) {
    this.#beacons = [...beacons]
  }

  /** Oldest first. */
  known(): KnownBeacon[] {
    return [...this.#beacons]
  }

  get newest(): KnownBeacon | undefined {
    return this.#beacons.at(-1)
  }

  /** False for one that is not newer than those before it. */
  add({ number, lsn, emittedMs }: Beacon): boolean {
    if (number <= (this.newest?.number ?? 0)) return false
    this.#beacons.push({ number, lsn: parseLsn(lsn), emittedMs })
    return true
  }

  /**
   * Forgets the beacons behind which nothing can come again, once the slot is confirmed up to here. Gives the number of the
   * oldest that is left: what came before it is over. Undefined where nothing is known to be.
   */
  close(confirmedLsn: string | null): number | undefined {
    if (confirmedLsn === null) return undefined
    const confirmed = parseLsn(confirmedLsn)
    const reached = this.#beacons.filter((beacon) => beacon.lsn <= confirmed).length
    // The commit of a beacon is before the next one, which must be confirmed itself.
    if (reached < 2) return undefined
    this.#beacons = this.#beacons.slice(reached - 2)
    return this.#beacons[0]!.number
  }

  /** Why no source can have emitted the beacon after those before it, or undefined. */
  impossible({ number }: Beacon): string | undefined {
    const { newest } = this
    if (newest === undefined || number <= newest.number + mostBeaconsMissed) return undefined
    return `its number ${number} does not follow that of the beacon before it, ${newest.number}`
  }

  /**
   * Why the beacon is not of the same log as those before it, or undefined. One that does not follow the newest proves that
   * changes are missing, or that the source was put back and has written another log since. Capture sends beacons again, also
   * ones that were confirmed where a worker lives on that is held for dead; these were emitted no later than the newest.
   */
  brokenLog({ number, lsn, previousLsn, emittedMs }: Beacon): string | undefined {
    const { newest } = this
    if (newest === undefined || previousLsn === undefined) return undefined
    if (number > newest.number) {
      if (previousLsn !== null && parseLsn(previousLsn) === newest.lsn) return undefined
      return number === newest.number + 1
        ? `${SOURCE_WENT_BACK}: beacon ${number} follows one at ${previousLsn}, not the one that was applied before it, at ${formatLsn(newest.lsn)}`
        : `${CHANGES_ARE_MISSING}: after beacon ${newest.number}, at ${formatLsn(newest.lsn)}, comes beacon ${number}, which follows one at ${previousLsn}`
    }
    const known = this.#beacons.find((beacon) => beacon.number === number)
    const wasApplied =
      known === undefined ? (emittedMs ?? 0) <= (newest.emittedMs ?? emittedMs ?? 0) : known.lsn === parseLsn(lsn)
    if (wasApplied) return undefined
    return `${SOURCE_WENT_BACK}: it emits beacon ${number} at ${formatLsn(parseLsn(lsn))}, and beacon ${newest.number} at ${formatLsn(newest.lsn)} was applied before`
  }
}
