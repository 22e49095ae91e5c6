import type pg from 'pg'
import { scanArchive } from '#adapters/iceberg/archive/archive-scan.ts'
import { archiveMarks } from '#adapters/iceberg/archive/archive-table.ts'
import type { TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'
import { alignColumns } from '#terminal/aligned-columns.ts'
import { formatBytes, formatCount, formatQuantity, formatSeconds } from '#terminal/quantities.ts'
import type { Archive } from '#verify/archive/archive-access.ts'

/** How far a topic partition is archived. Each offset is that of the first record that is not. */
export type ArchivedStream = {
  readonly topic: string
  readonly topicPartition: number
  readonly committedRecords: number
  /** The number of records in data files that are in no commit. */
  readonly waitingRecords: number
  /** The number of records in the topic that are in no data file, as far as it is known. */
  readonly notTakenRecords: number
  /** The reason why its records are not archived at present. */
  readonly failure: string | null
  readonly committedTo: number
  readonly archivedTo: number
}

/** The content of the archive according to its catalog, and the waiting records according to its ledger. */
export type ArchiveStatus = {
  readonly table: string
  /** Null if nothing was committed yet. */
  readonly location: string | null
  readonly files: number
  readonly rows: number
  readonly bytes: number
  /** Rows that another engine has deleted and its compaction has not removed yet. They are not included in `rows`. */
  readonly deletedRows: number
  readonly tableSnapshots: number
  readonly commits: number
  /** The time since the newest commit; null before the first. */
  readonly commitAgeSeconds: number | null
  /** Records that are in no commit yet, whether they are in data files or not. */
  readonly waitingRecords: number
  /** How long the oldest of them has waited, at most; null if none waits. */
  readonly waitingSeconds: number | null
  readonly streams: readonly ArchivedStream[]
  /**
   * Problems that the archive cannot resolve by itself, with the time when each began (ISO 8601) and the command that
   * resolves it.
   */
  readonly problems: readonly { readonly reason: string; readonly command: string; readonly since: string }[]
}

type StreamRow = {
  topic: string
  topic_partition: number
  committed_records: string
  waiting_records: string
  not_taken_records: string
  failure: string | null
  committed_to: string | null
  archived_to: string | null
  waiting_seconds: number | null
  commit_age_seconds: number | null
}

/** Reads the status from catalog, manifests and ledger. */
export async function readArchiveStatus(target: pg.ClientBase, archive: Archive): Promise<ArchiveStatus> {
  const { catalog, table, store } = archive
  const metadata = (await catalog.loadTable(table))?.metadata
  const { rows } = await target.query<StreamRow>(
    `select *,
       extract(epoch from clock_timestamp() - uncommitted_since)::float8 as waiting_seconds,
       extract(epoch from clock_timestamp() - committed_at)::float8 as commit_age_seconds
     from tidemark.archive_status
     order by topic, topic_partition`,
  )
  const problems = await target.query<ArchiveStatus['problems'][number]>(
    "select reason, command, to_json(since)#>>'{}' as since from tidemark.archive_problem order by since",
  )
  const streams = rows.map((row) => ({
    ...{ topic: row.topic, topicPartition: row.topic_partition },
    ...{ committedRecords: Number(row.committed_records), waitingRecords: Number(row.waiting_records) },
    ...{ notTakenRecords: Number(row.not_taken_records), failure: row.failure },
    ...{ committedTo: Number(row.committed_to ?? 0), archivedTo: Number(row.archived_to ?? 0) },
  }))
  const known = (values: (number | null)[]) => values.filter((value) => value !== null)
  const ages = known(rows.map((row) => row.commit_age_seconds))
  const waits = known(rows.map((row) => row.waiting_seconds))
  return {
    table: `${table.namespace}.${table.name}`,
    ...(metadata === undefined ? NOTHING_YET : await readFigures(store, metadata)),
    commitAgeSeconds: ages.length === 0 ? null : rounded(Math.min(...ages)),
    waitingRecords: streams.reduce((sum, each) => sum + each.waitingRecords + each.notTakenRecords, 0),
    waitingSeconds: waits.length === 0 ? null : rounded(Math.max(...waits)),
    streams,
    problems: problems.rows,
  }
}

const rounded = (seconds: number): number => Math.round(seconds * 10) / 10

const NOTHING_YET = { location: null, files: 0, rows: 0, bytes: 0, deletedRows: 0, tableSnapshots: 0, commits: 0 }

/** The figures come from the manifests, because some engines that change a table leave totals out of the summary. */
async function readFigures(store: Archive['store'], metadata: TableMetadata) {
  const { files, records, bytes } = await scanArchive(store, metadata)
  return {
    ...{ location: metadata.location, files: files.length, rows: records, bytes },
    deletedRows: files.reduce((sum, { deleted }) => sum + deleted.size, 0),
    tableSnapshots: metadata.snapshots.length,
    commits: Number(metadata.properties[archiveMarks.number] ?? 0),
  }
}

/** The status as text for a person. */
export function describeArchiveStatus(status: ArchiveStatus): string {
  const { table, location, streams, commitAgeSeconds, waitingSeconds, deletedRows } = status
  const commits = `${formatQuantity(status.commits, 'commit')}, ${formatQuantity(status.tableSnapshots, 'table snapshot')}`
  const size = `${formatQuantity(status.rows, 'row')} in ${formatQuantity(status.files, 'data file')}, ${formatBytes(status.bytes)}`
  const newest = commitAgeSeconds === null ? 'none yet' : `${formatSeconds(commitAgeSeconds)} ago`
  const since = waitingSeconds === null ? '' : `, the oldest for at most ${formatSeconds(waitingSeconds)}`
  const facts = alignColumns([
    [
      'table',
      location === null
        ? `${table}, ${status.problems.length === 0 ? 'not created yet' : 'missing'}`
        : `${table} at ${location}`,
    ],
    ['content', size + (deletedRows > 0 ? `, and ${formatQuantity(deletedRows, 'deleted row')}` : '')],
    ['commits', commits],
    ['newest commit', newest],
    ['waiting', formatQuantity(status.waitingRecords, 'record') + since],
  ])
  const problems = status.problems.flatMap(({ reason, command, since }) => [
    `since ${since.slice(0, 16).replace('T', ' ')}: ${reason}`,
    `    ${command}`,
    '',
  ])
  const rows = streams.map((stream) => [
    `${stream.topic}-${stream.topicPartition}`,
    ...[stream.committedTo, stream.archivedTo, stream.waitingRecords, stream.notTakenRecords].map(formatCount),
  ])
  const failures = streams.flatMap(({ topic, topicPartition, failure }) =>
    failure === null || status.problems.some(({ reason }) => failure.startsWith(reason))
      ? []
      : [`${topic}-${topicPartition} is not archived: ${failure}`],
  )
  if (rows.length === 0) return [...problems, ...facts].join('\n')
  const header = ['topic partition', 'committed to', 'archived to', 'waiting', 'not archived']
  const perStream = alignColumns([header, ...rows], [1, 2, 3, 4])
  return [...problems, ...facts, '', ...perStream, ...(failures.length === 0 ? [] : ['', ...failures])].join('\n')
}
