import { findArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import { scanArchive } from '#adapters/iceberg/archive/archive-scan.ts'
import { noteGoneFiles, type SurveyedStream, surveyArchive } from '#adapters/iceberg/archive/archive-survey.ts'
import type { LoadedTable } from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { CommittedStream } from '#adapters/postgres/archive/archived-ranges.ts'
import { countOf, describeSpans, missingOf, type OffsetSpan } from '#core/offset-spans.ts'
import { executeStep } from './execute-step.ts'
import { planRecovery, type RecoveryStep } from './recovery-plan.ts'
import type { RecoveryTools } from './recovery-tools.ts'

/** Offsets of a topic partition that are missing, or that occur more than once. */
export type FaultyOffsets = {
  readonly topic: string
  readonly topicPartition: number
  readonly spans: readonly OffsetSpan[]
}

/** What the archive table holds, compared with its ledger. */
export type ArchiveCheck = {
  readonly files: number
  readonly records: number
  /** Data files that the table names and the store does not have: their paths, and what they held. */
  readonly gone: readonly { readonly path: string; readonly holds: string }[]
  /** Offsets whose records are in the table more than once. */
  readonly twice: readonly FaultyOffsets[]
  /** Offsets that the ledger has committed, that the table does not have, and that are not known to be lost. */
  readonly missing: readonly FaultyOffsets[]
  /** Offsets that an earlier recovery noted as lost. */
  readonly lost: readonly FaultyOffsets[]
}

/** Result of a recovery. `done` is false when a step was not agreed to: `steps` then ends with that step. */
export type RecoveryReport = {
  readonly done: boolean
  readonly steps: readonly { readonly happened: string; readonly does: string }[]
  /** Null when there is no table, or when the recovery is not done. */
  readonly check: ArchiveCheck | null
  /** What is left to do before anything is archived again, as a sentence; absent when nothing is. */
  readonly next?: string
}

/** No recovery needs more steps, since each step removes one fault. */
const MOST_STEPS = 10

/**
 * Makes the archive table, its ledger and its data files consistent again, one step at a time. `agree` is asked before
 * each step. It can be interrupted and run again. It ends with the check, after which missing records are noted as
 * lost. The caller holds the committer's lock.
 */
export async function recoverArchive(
  tools: RecoveryTools,
  agree: (step: RecoveryStep) => Promise<boolean>,
): Promise<RecoveryReport> {
  const steps: RecoveryStep[] = []
  const described = () => steps.map(({ happened, does }) => ({ happened, does }))
  for (let next = await planRecovery(tools); next !== undefined; next = await planRecovery(tools)) {
    if (steps.length === MOST_STEPS) throw new Error(`recovery does not come to an end: ${next.happened}`)
    steps.push(next)
    if (!(await agree(next))) return { done: false, steps: described(), check: null }
    tools.onProgress(next.does)
    await executeStep(tools, next)
  }
  const loaded = await findArchiveTable(tools.catalog, tools.place, tools.ledger, { isOnlyCommitter: true })
  const { renewal } = await tools.ledger.readKnownTable()
  const next = renewal === undefined ? {} : { next: CONSUMERS_GO_BACK }
  if (loaded === undefined) return { done: true, steps: described(), check: null, ...next }
  const check = await checkLoaded(tools, loaded)
  if (steps.length > 0) await tools.ledger.noteLost(check.missing)
  await tools.ledger.clearProblem('waiting files')
  await noteGoneFiles(tools.ledger, check.gone)
  return { done: true, steps: described(), check, ...next }
}

const CONSUMERS_GO_BACK =
  'The consumer groups of the archive are set to the first records of their topics within a minute, by the function recover-capture (npm run recover does it at once): nothing is archived before that.'

/**
 * Reads every record of the table, and checks that each committed record is there once. Null when there is no table
 * yet.
 */
export async function checkArchive(tools: RecoveryTools): Promise<ArchiveCheck | null> {
  const loaded = await findArchiveTable(tools.catalog, tools.place, tools.ledger)
  if (loaded === undefined) return null
  const check = await checkLoaded(tools, loaded)
  await noteGoneFiles(tools.ledger, check.gone)
  return check
}

async function checkLoaded(tools: RecoveryTools, { metadata }: LoadedTable): Promise<ArchiveCheck> {
  const { store, ledger, onProgress, signal } = tools
  // The ledger is read before the files, so that a commit in between does not make records appear to be missing.
  const committed = await ledger.committed()
  const lost = await ledger.lost()
  const scan = await scanArchive(store, metadata)
  const { streams, gone } = await surveyArchive(store, scan, {
    ...{ signal, onFile: (read, files) => onProgress(`checking the archive: data file ${read} of ${files}`) },
  })
  const faulty = (spansOfStream: (stream: CommittedStream) => readonly OffsetSpan[]) =>
    committed.flatMap((stream) => {
      const spans = spansOfStream(stream)
      const { topic, topicPartition } = stream
      return spans.length === 0 ? [] : [{ topic, topicPartition, spans }]
    })
  const of = <Each extends { topic: string; topicPartition: number }>(all: readonly Each[], at: CommittedStream) =>
    all.find(({ topic, topicPartition }) => topic === at.topic && topicPartition === at.topicPartition)
  return {
    files: scan.files.length,
    records: streams.reduce((sum, { records }) => sum + records, 0),
    gone: gone.map(({ path, holds }) => ({ path, holds })),
    twice: streams.flatMap(({ topic, topicPartition, repeated }) =>
      repeated.length === 0 ? [] : [{ topic, topicPartition, spans: repeated }],
    ),
    missing: faulty((stream) => missingIn(stream, of(streams, stream), of(lost, stream)?.spans ?? [])),
    lost: lost.map(({ topic, topicPartition, spans }) => ({ topic, topicPartition, spans })),
  }
}

/**
 * A topic that is written with transactions has gaps in its offsets. When the table has as many records as were
 * committed, none of them is missing.
 */
function missingIn(
  committed: CommittedStream,
  found: SurveyedStream | undefined,
  lost: readonly OffsetSpan[],
): OffsetSpan[] {
  const missing = missingOf(
    committed,
    [...(found?.spans ?? []), ...lost].toSorted((a, b) => a.from - b.from),
  )
  const expected = committed.records - countOf(lost)
  return (found?.records ?? 0) - countOf(found?.repeated ?? []) >= expected ? [] : missing
}

/** Describes the check in lines for a user. */
export function describeCheck(check: ArchiveCheck): string[] {
  const each = (what: string, all: readonly FaultyOffsets[]) =>
    all.map(({ topic, topicPartition, spans }) => `${topic}-${topicPartition}: ${what} ${describeSpans(spans)}`)
  const faults = [
    ...check.gone.map(({ path, holds }) => `gone: ${path} (${holds})`),
    ...each('twice in the table:', check.twice),
    ...each('not in the table any more:', check.missing),
  ]
  const lost = each('known to be lost:', check.lost)
  const summary = `${check.records} records in ${check.files} data files`
  return [
    ...faults,
    ...lost,
    faults.length === 0
      ? `${summary}: each record that was committed${lost.length > 0 ? ' and is not lost' : ''} is there once`
      : `${summary}: the archive is not as its ledger says`,
  ]
}

/** Whether every committed record that is not known to be lost is there once. */
export const isWhole = ({ gone, twice, missing }: ArchiveCheck): boolean =>
  [gone, twice, missing].every(({ length }) => length === 0)
