import { type OffsetSet, type OffsetSpan, spansOf, unite } from '#core/offset-spans.ts'
import type { ObjectStore } from '../../object-store/object-store.ts'
import { RECOVER_COMMAND } from './archive-problem.ts'
import { type ArchiveScan, readPlaces, type ScannedFile } from './archive-scan.ts'
import type { TableLedger } from './known-table.ts'

/** The records of one topic partition in the archive table. */
export type SurveyedStream = OffsetSet & {
  readonly topic: string
  readonly topicPartition: number
  readonly records: number
  /** The greatest timestamp of its records, in ms since 1970. */
  readonly newestTimestampMs: number
  /** The file with the record of the greatest offset. */
  readonly lastFile: ScannedFile
}

/** Every topic partition of the table, and the files that could not be read because they are gone. */
export type ArchiveSurvey = { readonly streams: readonly SurveyedStream[]; readonly gone: readonly ScannedFile[] }

export type SurveyOptions = {
  /** It is called after each file. */
  readonly onFile?: (read: number, files: number) => void
  readonly signal?: AbortSignal | undefined
}

type Found = {
  topic: string
  topicPartition: number
  records: number
  newestTimestampMs: number
  last: number
  lastFile: ScannedFile
  spans: OffsetSpan[]
}

/**
 * Reads the offsets of all records of the table, each of which should be there once. Throws an Error if a file has
 * another size than the table says.
 */
export async function surveyArchive(
  store: Pick<ObjectStore, 'get' | 'has'>,
  { files }: Pick<ArchiveScan, 'files'>,
  { onFile, signal }: SurveyOptions = {},
): Promise<ArchiveSurvey> {
  const gone = new Set(await findGone(store, files))
  const found = new Map<string, Found>()
  for (const [place, file] of files.entries()) {
    signal?.throwIfAborted()
    if (!gone.has(file)) await surveyFile(store, file, found)
    onFile?.(place + 1, files.length)
  }
  const streams = Array.from(found.values(), ({ spans, last: _, ...stream }) => ({ ...stream, ...unite(spans) }))
  return { streams: streams.sort(byPlace), gone: [...gone] }
}

const byPlace = (a: SurveyedStream, b: SurveyedStream): number =>
  a.topic.localeCompare(b.topic) || a.topicPartition - b.topicPartition

async function surveyFile(store: Pick<ObjectStore, 'get'>, file: ScannedFile, found: Map<string, Found>) {
  for await (const rows of readPlaces(store, file)) {
    for (const [name, records] of Map.groupBy(rows, (row) => `${row.topic}-${row.topicPartition}`)) {
      const { topic, topicPartition } = records[0]!
      const offsets = records.map(({ offset }) => offset).sort((a, b) => a - b)
      const stream: Found = found.get(name) ?? {
        ...{ topic, topicPartition, records: 0, newestTimestampMs: Number.NEGATIVE_INFINITY },
        ...{ last: -1, lastFile: file, spans: [] },
      }
      found.set(name, stream)
      stream.records += records.length
      for (const { timestampMs } of records) stream.newestTimestampMs = Math.max(stream.newestTimestampMs, timestampMs)
      for (const span of spansOf(offsets)) stream.spans.push(span)
      if (offsets.at(-1)! > stream.last) Object.assign(stream, { last: offsets.at(-1)!, lastFile: file })
    }
  }
}

/** The number of objects that the store is asked for at the same time. */
const AT_ONCE = 16

/** The files whose object is no longer in the store. */
export async function findGone<File extends { readonly path: string }>(
  store: Pick<ObjectStore, 'has'>,
  files: readonly File[],
): Promise<File[]> {
  const left = [...files.entries()]
  const gone: [number, File][] = []
  const look = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (!(await store.has(next[1].path))) gone.push(next)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, look))
  return gone.sort(([a], [b]) => a - b).map(([, file]) => file)
}

/**
 * `<path> (12 records, offsets 3 to 14 of changes-0)` for each file. If there are many, the first few and the number of
 * the others.
 */
export function describeGone(files: readonly Pick<ScannedFile, 'path' | 'holds'>[], most = 5): string {
  const shown = files.slice(0, most).map(({ path, holds }) => `${path} (${holds})`)
  return files.length > most ? `${shown.join(', ')} and ${files.length - most} more` : shown.join(', ')
}

/** Writes to the ledger which data files of the table are gone, or clears that problem if none is. */
export const noteGoneFiles = (
  ledger: Pick<TableLedger, 'noteProblem' | 'clearProblem'>,
  gone: readonly Pick<ScannedFile, 'path' | 'holds'>[],
): Promise<void> =>
  gone.length === 0
    ? ledger.clearProblem('data files')
    : ledger.noteProblem({
        kind: 'data files',
        reason: `${gone.length} data files of the archive table are gone, which somebody or a lifecycle rule has deleted: ${describeGone(gone)}`,
        command: RECOVER_COMMAND,
      })
