import { randomUUID } from 'node:crypto'
import { ArchiveProblemError, RECOVER_COMMAND } from '#adapters/iceberg/archive/archive-problem.ts'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import { dataFileUrl, joinedFileName } from '#adapters/iceberg/archive/file-locations.ts'
import { joinDataFiles } from '#adapters/iceberg/archive/parquet-data-file.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import type { LedgerFile } from '#adapters/postgres/archive/ledger-file.ts'

type File = LedgerFile<DataFileMetrics>

/**
 * Joins the files of each day into one, so that readers do not have to open thousands. A file that is the only one of
 * its day stays as it is. Throws when a file is missing in the store, or has other records than the ledger says.
 */
export async function joinFiles(
  store: Pick<ObjectStore, 'get' | 'put' | 'has'>,
  location: string,
  files: readonly File[],
): Promise<File[]> {
  const joined: File[] = []
  for (const [day, ofDay] of Map.groupBy(files, (file) => file.day)) {
    joined.push(ofDay.length === 1 ? await alone(store, ofDay[0]!) : await joinDay(store, location, day, ofDay))
  }
  return joined
}

/** The file is not read here, so without this check only a reader of the table would notice that it is missing. */
async function alone(store: Pick<ObjectStore, 'has'>, file: File): Promise<File> {
  if (!(await store.has(file.path))) throw goneError(file.path)
  return file
}

/** The name of the file shows which offsets of which topic partition it had. */
const goneError = (path: string): ArchiveProblemError =>
  new ArchiveProblemError({
    kind: 'waiting files',
    reason: `the data file ${path} is gone before it was committed: somebody or a lifecycle rule has deleted it`,
    command: RECOVER_COMMAND,
  })

async function joinDay(
  store: Pick<ObjectStore, 'get' | 'put'>,
  location: string,
  day: number,
  files: readonly File[],
): Promise<File> {
  const parts = await Promise.all(
    files.map(async ({ path, records, metrics }) => {
      const bytes = await store.get(path)
      if (bytes === undefined) throw goneError(path)
      return { bytes, records, metrics }
    }),
  )
  const { bytes, records, metrics } = joinDataFiles(parts)
  const expected = files.reduce((sum, file) => sum + file.records, 0)
  if (records !== expected)
    throw new Error(`the joined files of ${files[0]!.path} hold ${records} of ${expected} records`)
  const path = dataFileUrl(location, day, joinedFileName(randomUUID()))
  await store.put(path, bytes)
  return { path, day, records, bytes: bytes.length, metrics }
}
