import type { ArchiveContent, ArchiveObservation, ArchiveWaiting } from '#core/status/observations.ts'

/** The metadata of a table with a commit every second is long, so a status does not read it after each of them. */
const LEAST_MS = 10_000
/**
 * The metadata is read again after this time even without a new commit, because other engines also change the table,
 * and the catalog may be gone.
 */
const MOST_MS = 30_000

/**
 * Caches the result of `load`. It is loaded again when `version` has changed and the result is ten seconds old, or when
 * it is half a minute old. Calls during a load share it, and a failure is not cached.
 */
export function loadRarely<T>(load: () => Promise<T>, now: () => number): (version: unknown) => Promise<T> {
  let last: { readonly loaded: Promise<T>; readonly version: unknown; readonly atMs: number } | undefined
  return (version) => {
    const ageMs = last === undefined ? Number.POSITIVE_INFINITY : now() - last.atMs
    if (last !== undefined && ageMs < (version === last.version ? MOST_MS : LEAST_MS)) return last.loaded
    const mine = { loaded: load(), version, atMs: now() }
    last = mine
    mine.loaded.catch(() => {
      if (last === mine) last = undefined
    })
    return mine.loaded
  }
}

/** The parts of the archive that are observed. Times are in milliseconds of one clock. */
export type ArchiveParts = {
  /** Reads the ledger. `committedAt` changes with every commit. */
  readonly readLedger: () => Promise<ArchiveWaiting & { readonly committedAt: string | null }>
  /** Reads the table from its catalog. */
  readonly readContent: () => Promise<ArchiveContent>
  readonly now: () => number
}

/** Observes the ledger at every call, and the table rarely. */
export function makeObserveArchive({ readLedger, readContent, now }: ArchiveParts): () => Promise<ArchiveObservation> {
  const readRarely = loadRarely(readContent, now)
  return async () => {
    const { committedAt, ...waiting } = await readLedger()
    return { ...(await readRarely(committedAt)), ...waiting }
  }
}
