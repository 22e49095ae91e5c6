// Is a beacon the successor of the newest applied one, or are changes missing?

import { formatLsn, type Lsn, parseLsn } from '../lsn.ts'
import type { Beacon } from '../wire/change.ts'

/** How the reason of a stop begins when a beacon is from another log of the source. */
export const SOURCE_WENT_BACK = 'the source went back'

/** How the reason of a stop begins when beacons are missing. */
export const CHANGES_ARE_MISSING = 'changes of the source are missing'

/** Whether the reason of a stop is that records are not from the log that was applied before. */
export const isOfBrokenLog = (reason: string): boolean =>
  reason.startsWith(SOURCE_WENT_BACK) || reason.startsWith(CHANGES_ARE_MISSING)

/** Each beacon comes in each topic partition, so a number that is more than this ahead was never emitted. */
const mostBeaconsMissed = 1_000_000

export type KnownBeacon = { readonly number: number; readonly lsn: Lsn; readonly emittedMs?: number | undefined }

/**
 * The beacons of one epoch that were delivered, as far back as records may come again. Each beacon names the one before
 * it, and each comes in every topic partition, so they show whether the delivered records are still from the same log.
 */
export class BeaconLog {
  #beacons: KnownBeacon[]

  constructor(beacons: readonly KnownBeacon[] = []) {
    this.#beacons = [...beacons]
  }

  /** The known beacons, oldest first. */
  known(): KnownBeacon[] {
    return [...this.#beacons]
  }

  get newest(): KnownBeacon | undefined {
    return this.#beacons.at(-1)
  }

  /** Adds a beacon. Returns false when it is not newer than those before it. */
  add({ number, lsn, emittedMs }: Beacon): boolean {
    if (number <= (this.newest?.number ?? 0)) return false
    this.#beacons.push({ number, lsn: parseLsn(lsn), emittedMs })
    return true
  }

  /**
   * Forgets beacons that are not needed any more, because the slot is confirmed up to `confirmedLsn`. Returns the
   * number of the oldest one that is left: records from before it cannot come again. Returns undefined when this is
   * known of no beacon.
   */
  close(confirmedLsn: string | null): number | undefined {
    if (confirmedLsn === null) return undefined
    const confirmed = parseLsn(confirmedLsn)
    const reached = this.#beacons.filter((beacon) => beacon.lsn <= confirmed).length
    // A beacon commits before the next one is written, so it is confirmed only when the next one is.
    if (reached < 2) return undefined
    this.#beacons = this.#beacons.slice(reached - 2)
    return this.#beacons[0]!.number
  }

  /** Why no source can have emitted the beacon after those before it; undefined when a source can. */
  impossible({ number }: Beacon): string | undefined {
    const { newest } = this
    if (newest === undefined || number <= newest.number + mostBeaconsMissed) return undefined
    return `its number ${number} does not follow that of the beacon before it, ${newest.number}`
  }

  /**
   * Why the beacon is not from the same log as those before it; undefined when it is. A beacon that does not follow the
   * newest one proves that changes are missing, or that the source was restored and has written another log since.
   * Capture may send beacons again, even confirmed ones, when a zombie worker that Connect has given up still runs.
   * Such beacons were emitted no later than the newest one.
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
