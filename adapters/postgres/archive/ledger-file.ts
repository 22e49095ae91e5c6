/** A data file in the ledger. `Metrics` is JSON. */
export type LedgerFile<Metrics> = {
  /** The URL of the file. */
  readonly path: string
  /** The table partition, as days since 1970. */
  readonly day: number
  readonly records: number
  readonly bytes: number
  readonly metrics: Metrics
}

/** A row of tidemark.archive_file, as Postgres answers FILE_COLUMNS. */
export type FileRow<Metrics> = { path: string; day: number; records: string; bytes: string; metrics: Metrics }

/** The columns of a row of tidemark.archive_file `f`. */
export const FILE_COLUMNS = `f.path, f.day - date '1970-01-01' as day, f.records, f.bytes, f.metrics`

export const fileOf = <Metrics>(row: FileRow<Metrics>): LedgerFile<Metrics> => ({
  ...{ path: row.path, day: row.day, metrics: row.metrics },
  ...{ records: Number(row.records), bytes: Number(row.bytes) },
})
