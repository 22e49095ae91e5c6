import {
  type ArchiveScan,
  readScannedFile,
  type ScannedFile,
  type ScannedRecord,
  scanArchive,
} from '#adapters/iceberg/archive/archive-scan.ts'
import { formatCount, formatQuantity } from '#terminal/quantities.ts'
import { type Archive, loadArchive } from '#verify/archive/archive-access.ts'
import { findGap } from './contiguity.ts'
import { boundsOf, type Cut, isPassed, latestUsOf } from './cut.ts'
import { readAhead } from './read-ahead.ts'
import type { RecordSpool, StreamBound } from './record-spool.ts'

/** The input for reading the archive. */
export type ReadingOptions = {
  readonly archive: Archive
  readonly spool: RecordSpool
  /** It is called with what is read at the moment. */
  readonly onProgress: (what: string) => void
  readonly signal?: AbortSignal | undefined
}

/** Reads data files of the archive into the spool, each of them once. */
export class ArchiveReading {
  files = 0
  seconds = 0
  readonly #options: ReadingOptions
  readonly #read = new Set<string>()

  constructor(options: ReadingOptions) {
    this.#options = options
  }

  /**
   * Reads everything that is committed now and was not read before. Throws an Error if the number of records differs
   * from that of the table: then some are there twice, or were removed without a delete file.
   */
  async readAll(): Promise<void> {
    const { archive, spool } = this.#options
    const scan = await scanArchive(archive.store, await loadArchive(archive))
    // Another engine may have moved records that were read into other files meanwhile, so records before these ends are
    // skipped.
    const ends = new Map(
      (await spool.ends()).map(({ topic, topicPartition, end }) => [`${topic}-${topicPartition}`, end]),
    )
    await this.#readFiles(scan, () => true, ends)
    if (spool.records === scan.records) return
    throw new Error(
      `the archive table has ${formatCount(scan.records)} records, ${formatCount(spool.records)} were found: another engine changes the table, or its records are there twice. Try again.`,
    )
  }

  /**
   * Reads what a cut needs, and returns the bounds of the topic partitions. Throws an Error if the archive does not
   * reach the cut, or if records before it are missing.
   */
  async readUntil(cut: Cut): Promise<readonly StreamBound[]> {
    const { archive, spool } = this.#options
    const scan = await scanArchive(archive.store, await loadArchive(archive))
    await this.#readFiles(scan, ({ earliestUs }) => !isPassed(spool, cut) || earliestUs <= latestUsOf(spool, cut))
    const outcome = await boundsOf(spool, cut)
    if (outcome.kind === 'bounds' && (await findGap(spool, outcome.bounds)) === undefined) return outcome.bounds
    // After files were rewritten, their records are not in the order of commits, so all files are read.
    await this.#readFiles(scan, () => true)
    const whole = await boundsOf(spool, cut)
    if (whole.kind === 'unknown') throw new Error(whole.why)
    await requireAll(spool, whole.bounds)
    return whole.bounds
  }

  async #readFiles(
    { files }: ArchiveScan,
    isNeeded: (file: ScannedFile) => boolean,
    ends: ReadonlyMap<string, number> = new Map(),
  ): Promise<void> {
    const { spool } = this.#options
    const beganMs = performance.now()
    const unread = files.filter(({ path }) => !this.#read.has(path))
    await spool.add(this.#portionsOf(unread, isNeeded, ends))
    await spool.seal()
    this.seconds += Math.round(performance.now() - beganMs) / 1000
  }

  async *#portionsOf(
    files: readonly ScannedFile[],
    isNeeded: (file: ScannedFile) => boolean,
    ends: ReadonlyMap<string, number>,
  ): AsyncGenerator<ScannedRecord[]> {
    const { archive, spool, onProgress, signal } = this.#options
    const store = readAhead(archive.store, files)
    for (const [place, file] of files.entries()) {
      // The decision is made only now, because it depends on what was read so far.
      if (!isNeeded(file)) continue
      signal?.throwIfAborted()
      const records = formatQuantity(spool.records, 'record')
      onProgress(`reading the archive: file ${place + 1} of ${files.length}, ${records}`)
      for await (const portion of readScannedFile(store, file)) {
        yield portion.filter((r) => r.offset >= (ends.get(`${r.topic}-${r.topicPartition}`) ?? 0))
      }
      this.#read.add(file.path)
      this.files++
    }
  }
}

/** Throws an Error if captured changes before the bounds are missing. */
export async function requireAll(spool: RecordSpool, bounds: readonly StreamBound[]): Promise<void> {
  const gap = await findGap(spool, bounds)
  if (gap !== undefined) {
    throw new Error(`the archive lacks ${gap}: what follows cannot be rebuilt exactly`)
  }
}
