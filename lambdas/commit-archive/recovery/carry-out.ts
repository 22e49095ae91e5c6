import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { prepareAppend } from '#adapters/iceberg/append.ts'
import { archiveTableName, beginArchiveTable } from '#adapters/iceberg/archive-catalog.ts'
import { readEntries, readScannedFile, type ScannedRecord, scanArchive } from '#adapters/iceberg/archive-scan.ts'
import { type SurveyedStream, surveyArchive } from '#adapters/iceberg/archive-survey.ts'
import { archiveMarks } from '#adapters/iceberg/archive-table.ts'
import { newSnapshotId, requirementsOf } from '#adapters/iceberg/commit.ts'
import type { DataFileMetrics } from '#adapters/iceberg/data-file-metrics.ts'
import { metadataUrl } from '#adapters/iceberg/file-locations.ts'
import { commitsOf } from '#adapters/iceberg/known-table.ts'
import { addedEntry, type ManifestEntry, writeManifest } from '#adapters/iceberg/manifest.ts'
import { prepareRemoveFiles, type ReducedManifest, reduceManifest } from '#adapters/iceberg/remove-files.ts'
import type { LoadedTable, TableName } from '#adapters/iceberg/rest-catalog.ts'
import { type CommitTools, readManifests, settleCommit } from '#adapters/iceberg/settled-commit.ts'
import { describeManifest, type StagedManifest } from '#adapters/iceberg/staged-manifest.ts'
import { currentSchema, partitionSpecOf, snapshotOf, type TableMetadata } from '#adapters/iceberg/table-metadata.ts'
import type { LedgerFile } from '#adapters/postgres/archive-ledger.ts'
import type { WaitingRange } from '#adapters/postgres/archive-recovery-ledger.ts'
import { type DeliveredRecord, digestOf } from '../../archive-changes/archived-record.ts'
import { makeDataFiles } from '../../archive-changes/data-files.ts'
import { type FormerFiles, RECOVERED_FROM, type RecoveryStep, type RecoveryTools } from './recovery-plan.ts'

/** Does a step. Interrupted at any place, the next plan goes on from there. */
export async function carryOut(tools: RecoveryTools, step: RecoveryStep): Promise<void> {
  switch (step.kind) {
    case 'rename':
      await moveAside(tools, step.aside)
      return rename(tools, step.from, archiveTableName(tools.place))
    case 'register':
      return register(tools, step)
    case 'begin':
      return begin(tools, step)
    case 'adopt':
      return adopt(tools, step.loaded.metadata)
    case 'put back':
      return putBack(tools, step.loaded, step.former)
    case 'take out':
      return takeOut(tools, step.loaded, new Set(step.gone.map(({ path }) => path)))
    case 'forget':
      return tools.ledger.forgetWaiting(step.gone)
  }
}

const moveAside = async (tools: RecoveryTools, aside: TableName | undefined): Promise<void> =>
  aside === undefined ? undefined : rename(tools, archiveTableName(tools.place), aside)

async function rename({ catalog }: RecoveryTools, from: TableName, to: TableName): Promise<void> {
  const outcome = await catalog.renameTable(from, to)
  if (outcome === 'renamed') return
  if (outcome === 'unsupported') throw new Error(callsThatRename(from, to, await catalog.loadTable(from)))
  throw new Error(
    `${nameOf(from)} could not be renamed to ${nameOf(to)}: ${outcome === 'exists' ? 'the name is taken' : 'it is not there any more'}. Run it again`,
  )
}

/** Glue has no renaming: a second entry for the same metadata, and the first one away. Its files stay. */
function callsThatRename(from: TableName, to: TableName, loaded: LoadedTable | undefined): string {
  const input = {
    ...{ Name: to.name, TableType: 'EXTERNAL_TABLE' },
    Parameters: { table_type: 'ICEBERG', metadata_location: loaded?.metadataLocation ?? '<metadata location>' },
  }
  return [
    `the catalog cannot rename ${nameOf(from)} to ${nameOf(to)}. Run these, then this again:`,
    `aws glue create-table --database-name ${to.namespace} --table-input '${JSON.stringify(input)}'`,
    `aws glue delete-table --database-name ${from.namespace} --name ${from.name}`,
  ].join('\n')
}

const nameOf = ({ namespace, name }: TableName): string => `${namespace}.${name}`

async function register(tools: RecoveryTools, step: RecoveryStep & { kind: 'register' }): Promise<void> {
  await moveAside(tools, step.aside)
  const outcome = await tools.catalog.registerTable(archiveTableName(tools.place), step.former.metadataLocation)
  if (outcome === 'unsupported') return begin(tools, { ...step, kind: 'begin', aside: undefined, begun: undefined })
}

/** Everything that the table held and that is there, in one commit that has the number of the last one of the ledger. */
async function begin(tools: RecoveryTools, step: RecoveryStep & { kind: 'begin' }): Promise<void> {
  const { place, catalog, ledger, store } = tools
  const known = await ledger.readKnownTable()
  const entries = step.former === undefined ? [] : await entriesOf(store, step.former.metadata)
  refuseDeletes(entries)
  await moveAside(tools, step.aside)
  const properties = { [RECOVERED_FROM]: known.table?.uuid ?? 'unknown' }
  const begun = step.begun ?? (await beginArchiveTable(catalog, place, properties))
  await appendFormer(tools, begun, entries, step.former)
  const { location, 'table-uuid': uuid } = begun.metadata
  await ledger.rebind({ name: nameOf(archiveTableName(place)), uuid, location })
}

/** A file whose rows an engine has deleted would show them again. */
function refuseDeletes(entries: readonly ManifestEntry[]): void {
  if (entries.every(({ data_file }) => data_file.content === 0)) return
  throw new Error(
    'rows of the dropped table were deleted by another engine, and would come back in a new one. Put the table back from its metadata file with the catalog’s own means (aws glue create-table with this metadata_location), then run this again',
  )
}

async function entriesOf(store: RecoveryTools['store'], metadata: TableMetadata): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  for await (const entry of readEntries(store, metadata)) entries.push(entry)
  return entries
}

async function putBack(tools: RecoveryTools, loaded: LoadedTable, former: FormerFiles | undefined): Promise<void> {
  const { store } = tools
  const present = new Set((await entriesOf(store, loaded.metadata)).map(({ data_file }) => data_file.file_path))
  const entries = former === undefined ? [] : await entriesOf(store, former.metadata)
  const missing = entries.filter(({ data_file }) => !present.has(data_file.file_path))
  refuseDeletes(missing)
  // Files that an engine joined hold rows that the table has already, under other names.
  const rewritten = [...present].filter((path) => !entries.some(({ data_file }) => data_file.file_path === path))
  if (former !== undefined && rewritten.length > 0) {
    throw new Error(
      `another engine has rewritten data files between the two states of the table. Set the table to ${former.metadataLocation} with the catalog's own means, then run this again`,
    )
  }
  await appendFormer(tools, loaded, missing, former)
}

/** As many entries as keep a manifest at Iceberg's own target of 8 MiB. */
const ENTRIES_OF_A_MANIFEST = 5_000

/** Adds files of a former state and gives the table its number of commits: once, however often it is tried. */
async function appendFormer(
  tools: RecoveryTools,
  loaded: LoadedTable,
  entries: readonly ManifestEntry[],
  former: FormerFiles | undefined,
): Promise<void> {
  const marks = await marksOf(tools, former)
  const isMade = ({ properties }: TableMetadata) =>
    Object.entries(marks).every(([name, value]) => properties[name] === value)
  const gone = new Set(former?.gone.map(({ path }) => path))
  const kept = entries.filter(({ data_file }) => !gone.has(data_file.file_path))
  const snapshotId = BigInt(marks[archiveMarks.snapshot] ?? newSnapshotId())
  const { metadata } = loaded
  const manifests = isMade(metadata) ? [] : await stage(tools, metadata, kept, snapshotId)
  await settleCommit(commitTools(tools), loaded, {
    isMade,
    prepare: async (present) =>
      manifests.length === 0
        ? { requirements: requirementsOf(present), updates: [{ action: 'set-properties', updates: marks }] }
        : prepareAppend({
            ...{ metadata: present, snapshotId, manifests, properties: marks },
            existingManifests: await readManifests(tools.store, present),
            manifestListPath: metadataUrl(present.location, `snap-${snapshotId}-${randomUUID()}`),
            summary: pick(marks, [archiveMarks.number, archiveMarks.offsets]),
            timestampMs: tools.now(),
          }),
  })
}

const commitTools = ({ catalog, place, store, now, pause }: RecoveryTools): CommitTools => ({
  ...{ catalog, store, now, pause },
  table: archiveTableName(place),
})

const pick = (from: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])))

/** Number, table snapshot and offsets of the last commit: of the former state, or of the ledger where that is behind. */
async function marksOf({ ledger }: RecoveryTools, former: FormerFiles | undefined): Promise<Record<string, string>> {
  const { commits } = await ledger.readKnownTable()
  const made = commits.find((commit) => commit.made)
  const names = [archiveMarks.number, archiveMarks.snapshot, archiveMarks.offsets]
  if (former !== undefined && commitsOf(former.metadata) >= (made?.number ?? 0)) {
    return pick(former.metadata.properties, names)
  }
  return made === undefined
    ? { [archiveMarks.number]: '0' }
    : { [archiveMarks.number]: String(made.number), [archiveMarks.snapshot]: String(made.snapshotId) }
}

async function stage(
  { store }: RecoveryTools,
  metadata: TableMetadata,
  entries: readonly ManifestEntry[],
  snapshotId: bigint,
): Promise<StagedManifest[]> {
  const staged: StagedManifest[] = []
  for (let from = 0; from < entries.length; from += ENTRIES_OF_A_MANIFEST) {
    const url = metadataUrl(metadata.location, `recovered-${snapshotId}-${randomUUID()}`)
    const some = entries.slice(from, from + ENTRIES_OF_A_MANIFEST)
    const bytes = writeManifest({
      schema: currentSchema(metadata),
      spec: partitionSpecOf(metadata),
      entries: some.map(({ data_file }) => addedEntry(data_file, snapshotId)),
    })
    await store.put(url, bytes)
    staged.push(describeManifest(url, bytes))
  }
  return staged
}

async function takeOut(tools: RecoveryTools, loaded: LoadedTable, gone: ReadonlySet<string>): Promise<void> {
  const { store, now } = tools
  const snapshotId = newSnapshotId()
  await settleCommit(commitTools(tools), loaded, {
    isMade: (metadata) => snapshotOf(metadata, snapshotId) !== undefined,
    prepare: async (metadata) => {
      const existingManifests = await readManifests(store, metadata)
      const reduced: ReducedManifest[] = []
      for (const line of existingManifests) {
        const bytes = await store.get(line.manifest_path)
        if (bytes === undefined) throw new Error(`the manifest ${line.manifest_path} of the table is gone`)
        const url = metadataUrl(metadata.location, `reduced-${snapshotId}-${randomUUID()}`)
        const each = reduceManifest(line, bytes, gone, snapshotId, url)
        if (each === undefined) continue
        await store.put(url, each.bytes)
        reduced.push(each)
      }
      if (reduced.length === 0) return undefined
      const manifestListPath = metadataUrl(metadata.location, `snap-${snapshotId}-${randomUUID()}`)
      const summary = pick(metadata.properties, [archiveMarks.number, archiveMarks.offsets])
      return prepareRemoveFiles({
        ...{ metadata, snapshotId, existingManifests, reduced, manifestListPath, summary },
        timestampMs: now(),
      })
    },
  })
}

async function adopt(tools: RecoveryTools, metadata: TableMetadata): Promise<void> {
  const { store, ledger, place, onProgress, signal } = tools
  const scan = await scanArchive(store, metadata)
  const { streams } = await surveyArchive(store, scan, {
    ...{ signal, onFile: (read, files) => onProgress(`reading what the table holds: data file ${read} of ${files}`) },
  })
  const committed = await ledger.committed()
  const ends = JSON.parse(metadata.properties[archiveMarks.offsets] ?? '{}') as Record<string, Record<string, number>>
  const adopted = []
  for (const stream of streams) {
    const { topic, topicPartition, records, newestTimestampMs, spans } = stream
    const before = committed.find((each) => each.topic === topic && each.topicPartition === topicPartition)
    const last = spans.at(-1)!.to
    adopted.push({
      ...{ topic, topicPartition, records, newestTimestampMs },
      from: Math.min(spans[0]!.from, before?.from ?? Number.POSITIVE_INFINITY),
      to: Math.max(last, ends[topic]?.[topicPartition] ?? 0),
      lastDigest: await lastDigestOf(store, stream, last - 1),
    })
  }
  const trimmed: WaitingRange<DataFileMetrics>[] = []
  for (const range of await ledger.waitingRanges()) {
    const end = adopted.find((each) => each.topic === range.topic && each.topicPartition === range.topicPartition)?.to
    if (end === undefined || end <= range.from || end >= range.to) continue
    trimmed.push(await trim(tools, metadata.location, range, end))
  }
  const number = commitsOf(metadata)
  const snapshotId = BigInt(metadata.properties[archiveMarks.snapshot]!)
  await ledger.adopt({ number, snapshotId, streams: adopted, trimmed })
  const { namespace, name } = archiveTableName(place)
  await ledger.bindTable({
    name: `${namespace}.${name}`,
    uuid: metadata['table-uuid'],
    location: metadata.location,
  })
}

/** As it was when the record was delivered; null where it was erased since. */
async function lastDigestOf(
  store: RecoveryTools['store'],
  { topic, topicPartition, lastFile }: SurveyedStream,
  offset: number,
): Promise<string | null> {
  for await (const records of readScannedFile(store, lastFile)) {
    const last = records.find((r) => r.topic === topic && r.topicPartition === topicPartition && r.offset === offset)
    if (last !== undefined) return last.encoding === 'erased' ? null : digestOf(asDelivered(last))
  }
  return null
}

/** A record that could not be written otherwise stands in base64, though its bytes are text. */
function asDelivered({ timestampMs, key, value, encoding }: ScannedRecord) {
  if (encoding !== 'base64') return { timestampMs, key, value }
  const bytes = [key, value].map((text) => (text === null ? null : Buffer.from(text, 'base64')))
  if (!bytes.every((each) => each === null || isUtf8(each))) return { timestampMs, key, value }
  const [plainKey = null, plainValue = null] = bytes.map((each) => each?.toString('utf8') ?? null)
  return { timestampMs, key: plainKey, value: plainValue }
}

/** What of a range that waits lies behind the table's end, in data files of its own. */
async function trim(
  { store, now }: RecoveryTools,
  location: string,
  range: WaitingRange<DataFileMetrics>,
  end: number,
): Promise<WaitingRange<DataFileMetrics>> {
  const records: DeliveredRecord[] = []
  for (const { path, records: count, bytes } of range.files) {
    const file = {
      path,
      records: count,
      bytes,
      sequenceNumber: 0,
      earliestUs: 0,
      deleted: new Set<number>(),
      holds: '',
    }
    for await (const rows of readScannedFile(store, file)) {
      for (const row of rows) {
        if (row.offset < end || row.encoding === 'erased') continue
        records.push({ ...row, encoding: row.encoding, digest: () => digestOf(row) })
      }
    }
  }
  records.sort((a, b) => a.offset - b.offset)
  const files = makeDataFiles(location, records, now())
  for (const { path, content } of files) await store.put(path, content)
  const kept = files.map(({ content: _, ...file }): LedgerFile<DataFileMetrics> => file)
  return { ...range, from: end, records: records.length, files: kept }
}
