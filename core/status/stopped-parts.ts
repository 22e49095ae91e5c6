import { commandFor } from '../recovery/stop-reasons.ts'
import type { SourceObservation, TargetObservation } from './observations.ts'

/** A topic partition or table that is not applied, or archived, any further, and the command that resolves it. */
export type StoppedPart = {
  /** ISO 8601. */
  since: string
  reason: string
  /** The command that resolves it; null if it continues by itself, as `reason` says. */
  command: string | null
} & (
  | {
      kind: 'topic partition'
      consumer: string
      topic: string
      topicPartition: number
      offset: number
      /** The number of deliveries that were tried. */
      deliveries: number
    }
  | { kind: 'table'; table: string; keptRecords: number }
)

/** A table that is no longer captured, and the SQL that the source needs; null if the table only has to wait. */
export type NotCaptured = { name: string; reason: string; fix: string | null }

/** The reason and the SQL come from the source if it answers. */
export function describeNotCaptured(
  notCaptured: TargetObservation['notCaptured'],
  uncaptured: SourceObservation['uncaptured'],
): NotCaptured[] {
  return notCaptured.map(({ name, reason }) => {
    const found = uncaptured.find((table) => table.name === name)
    return { name, reason: found?.why ?? reason, fix: found?.fix ?? null }
  })
}

/** The quarantined records of one topic and table, and the command that lists them. */
export type QuarantinedRecords = TargetObservation['quarantined'][number] & { command: string }

/**
 * Topic partitions come first, because each has records of every table. `captured` has the names of the tables that
 * the source captures.
 */
export function describeStopped(
  { stops, stopped }: Pick<TargetObservation, 'stops' | 'stopped'>,
  captured: readonly string[],
): StoppedPart[] {
  const topicPartitions = stops.map(
    ({ consumer, topic, topicPartition, atOffset, reason, since, deliveries }): StoppedPart => {
      const command = commandFor(consumer, reason)
      return {
        kind: 'topic partition',
        ...{ consumer, topic, topicPartition, offset: atOffset, since, deliveries },
        ...{ reason: command === null ? `${reason}; it goes on by itself once the cause is gone` : reason, command },
      }
    },
  )
  const tables = stopped.map(
    ({ name, reason, automatic, since, keptRecords, ...stop }): StoppedPart => ({
      kind: 'table',
      ...{ table: name, since, keptRecords },
      reason: automatic ? `${reason}; a resync of the table begins by itself` : reason,
      command: automatic ? null : `npm run ${commandOf(stop, captured.includes(name))} ${shellWord(name)}`,
    }),
  )
  return [...topicPartitions, ...tables]
}

/**
 * The source can read a table again only if it captures it. Records of a table that was dropped, or that is none, can
 * only be discarded. A table that was dropped stays stopped also if another one has its name now.
 */
function commandOf(
  { repair, isOf }: Pick<TargetObservation['stopped'][number], 'repair' | 'isOf'>,
  isCaptured: boolean,
) {
  return isOf === 'dropped' || (isOf === 'unknown' && !isCaptured) ? 'quarantine -- discard' : `${repair} --`
}

/** Each group with the command that lists its records. */
export const describeQuarantined = (groups: TargetObservation['quarantined']): QuarantinedRecords[] =>
  groups.map((group) => ({ ...group, command: 'npm run quarantine -- list' }))

/** A declared index that is not on the rows of its table. */
export type IndexProblem = { table: string; name: string; reason: string; command: string }

/** An index that does not fit the columns has to be declared in another way; others can be made. */
export const describeIndexProblems = (problems: TargetObservation['indexProblems']): IndexProblem[] =>
  problems.map(({ table, name, reason, fits }) => ({
    ...{ table, name, reason },
    command: `npm run index -- ${fits ? `build ${shellWord(table)}` : `remove ${shellWord(table)} ${shellWord(name)}`}`,
  }))

/** The name of the stopped part. */
export const nameOf = (part: StoppedPart): string =>
  part.kind === 'table' ? part.table : `${part.topic}-${part.topicPartition} at offset ${part.offset}`

/** A name, quoted for a shell if necessary. */
const shellWord = (name: string): string => (/^[\w.]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`)
