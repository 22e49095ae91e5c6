import { readTopicEnds, readTopics } from '#watch/topic-records.ts'
import { percentile } from '../machine/statistics.ts'
import type { MeasuredStack } from '../measured-stack.ts'
import type { SeenRow } from './probe.ts'

/** The stages of a change that can be seen in its record, in their order. */
export const stageNames = {
  log: 'commit until Debezium has it from the log',
  sent: 'until Connect sends it to the broker',
  applied: 'until it is polled, applied and seen',
} as const

export type Stage = keyof typeof stageNames

/** Percentiles of each stage, in milliseconds. */
export type StageTimes = Readonly<Record<Stage, { readonly p50: number; readonly p95: number; readonly p99: number }>>

/** When a record of the topic was read from the log and sent, in milliseconds since 1970. */
export type RecordTimes = { readonly id: number; readonly readMs: number; readonly sentMs: number }

/**
 * The time of rows in each stage, in whole milliseconds, by the clocks of the processes, which run on one machine. Rows
 * without a record are left out.
 */
export function stagesOf(rows: readonly SeenRow[], records: Iterable<RecordTimes>): StageTimes {
  const byId = new Map([...records].map((record) => [record.id, record]))
  const found = rows.flatMap(({ id, committedMs, seenMs }) => {
    const record = byId.get(id)
    if (record === undefined) return []
    const { readMs, sentMs } = record
    return [{ log: readMs - committedMs, sent: sentMs - readMs, applied: seenMs - sentMs }]
  })
  const of = (stage: Stage) => {
    const times = found.map((row) => Math.max(0, row[stage]))
    const at = (share: number) => Math.round(percentile(times, share) * 10) / 10
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  }
  return { log: of('log'), sent: of('sent'), applied: of('applied') }
}

/** The inserts into a table that are on the topic of captured changes now. */
export async function readRecordTimes({ pipeline }: MeasuredStack, table: string): Promise<RecordTimes[]> {
  const { kafka, kafkaAccess } = pipeline.engine.endpoints
  const brokers = { bootstrapServers: kafka, access: kafkaAccess ?? {} }
  const found: RecordTimes[] = []
  for await (const { value, timestampMs } of readTopics(brokers, await readTopicEnds(brokers, ['changes']))) {
    const text = value?.toString()
    // Most records are of other tables, so they are not parsed.
    if (text === undefined || !text.includes(`"${table}"`)) continue
    const { op, after, source, ts_ms: readMs } = JSON.parse(text)
    if (source?.table === table && op === 'c') found.push({ id: after.id, readMs, sentMs: timestampMs })
  }
  return found
}
