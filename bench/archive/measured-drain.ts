import { setTimeout as pause } from 'node:timers/promises'
import { makeRestCatalog, type RestCatalog, type TableName } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { makeRequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import { currentSnapshot } from '#adapters/iceberg/table/table-metadata.ts'
import { currentLoad } from '../machine/machine.ts'
import { type Grouping, type ProcessorSeconds, watchProcessors } from '../machine/processes.ts'
import type { ArchiveStack } from './archive-stack.ts'

/**
 * The drain of one topic that was filled beforehand: from the first record that is read until the table has all of its
 * records.
 */
export type TableDrain = {
  readonly seconds: number
  readonly recordsPerSecond: number
  /** Microseconds of processor time per record, by group of processes. */
  readonly microsPerRecord: Readonly<Record<string, number>>
  /** Table snapshots and data files of the table at the end. */
  readonly snapshots: number
  readonly files: number
  readonly bytes: number
  /** Load average of the last minute before the drain. */
  readonly load: number
}

/** The consumer that drains a topic, held until `release`. */
type HeldConsumer = {
  release(): Promise<void>
  /** Throws an Error that says why it cannot continue. */
  check(): Promise<void>
  stop(): Promise<void>
}

const LOOK_EVERY_MS = 100
const FAILURE_EVERY_LOOKS = 20
const LONGEST_DRAIN_MS = 600_000

/** Watches the tables of a catalog while topics are drained into them. */
export class DrainWatch {
  private readonly catalog: RestCatalog
  private readonly grouping: Grouping

  constructor({ services }: ArchiveStack, grouping: Grouping) {
    const { catalogEndpoint, warehouse, credentials } = services
    this.grouping = grouping
    this.catalog = makeRestCatalog({
      ...{ endpoint: catalogEndpoint, warehouse },
      sign: makeRequestSigner({ service: 's3tables', region: 'us-east-1', credentials }),
    })
  }

  /** The measured time ends with the table snapshot that has all records. Its time comes from the catalog. */
  async measure(
    table: TableName,
    { records, before }: { records: number; before: number },
    held: HeldConsumer,
  ): Promise<TableDrain> {
    const load = currentLoad()
    const processors = watchProcessors(this.grouping)
    const startedAtMs = Date.now()
    try {
      await held.release()
      const { metadata, snapshot } = await this.untilComplete(table, { records: before + records, check: held.check })
      const used = processors.stop()
      const { summary } = snapshot
      return {
        ...ratesOf({ ms: snapshot['timestamp-ms'] - startedAtMs, used, records }),
        snapshots: metadata.snapshots?.length ?? 0,
        files: Number(summary['total-data-files']),
        bytes: Number(summary['total-files-size']),
        load,
      }
    } finally {
      processors.stop()
      await held.stop()
    }
  }

  /** Waits until the table has this number of records. Returns the table snapshot that has them. */
  async untilComplete(table: TableName, { records, check }: { records: number; check: () => Promise<void> }) {
    const deadline = Date.now() + LONGEST_DRAIN_MS
    for (let look = 1; ; look++) {
      // There is no table before the first commit.
      const metadata = (await this.catalog.loadTable(table))?.metadata
      const snapshot = metadata && currentSnapshot(metadata)
      const found = Number(snapshot?.summary['total-records'] ?? 0)
      if (found > records) throw new Error(`the table has ${found} records of a topic of ${records}`)
      if (metadata && snapshot && found === records) return { metadata, snapshot }
      // The sink's JVM answers this call, which costs processor time that is counted, so it is made rarely.
      if (look % FAILURE_EVERY_LOOKS === 0) await check()
      if (Date.now() > deadline) throw new Error(`the table has ${found} of ${records} records after ten minutes`)
      await pause(LOOK_EVERY_MS)
    }
  }
}

/** The figures of a drain. */
export function ratesOf({ ms, used, records }: { ms: number; used: ProcessorSeconds; records: number }) {
  return {
    seconds: Math.round(ms) / 1000,
    recordsPerSecond: Math.round((records / ms) * 1000),
    microsPerRecord: Object.fromEntries(
      Object.entries(used).map(([group, seconds]) => [group, Math.round((seconds * 1e7) / records) / 10]),
    ),
  }
}
