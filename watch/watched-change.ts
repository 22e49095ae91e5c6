import { keyColumns, type TableContract } from '#core/contract.ts'
import { formatLsn } from '#core/lsn.ts'
import { readUserEvent, type UserEvent } from '#core/user-event.ts'
import { type Incoming, type KeyHeaders, type RowChange, readRecord } from '#core/wire/change.ts'
import type { RecentRows } from './recent-rows.ts'
import { jsonRow, type TextRow, textRow } from './text-row.ts'

/** A record as it was read from a topic. */
export type WatchedRecord = {
  readonly topic: string
  readonly topicPartition: number
  readonly offset: number
  readonly timestampMs: number
  readonly value: string | null
  readonly headers: KeyHeaders
}

/** The change that a record describes, for people and programs. */
export type WatchedChange = {
  readonly topic: string
  readonly topicPartition: number
  readonly offset: number
  /** When the source committed the change, or otherwise when the record was published; ISO 8601. */
  readonly at: string
  readonly table: string
  readonly op: string
  readonly key: TextRow | null
  readonly before: TextRow | null
  readonly after: TextRow | null
  /** The columns that were changed, before and after; null if the row before the change is not known. */
  readonly changed: Readonly<Record<string, readonly [string | null, string | null]>> | null
  /** Further information, for example why a record is not an event. */
  readonly note?: string
  /** The lsn of the change. */
  readonly lsn?: string
}

/** What is known besides the records. Describing a record updates both. */
export type WatchKnowledge = {
  /** By `schema.table`. */
  readonly contracts: Map<string, TableContract>
  readonly rows: RecentRows
  /** The versions of contracts that were shown. Each comes once in every topic partition, but is shown once. */
  readonly met: Set<string>
}

/** The topic of plain events. Every other topic is read as one of captured changes. */
export const userEventsTopic = 'user-events'

/** The change of a record; undefined for records that only the pipeline uses. */
export function describeRecord(record: WatchedRecord, known: WatchKnowledge): WatchedChange | undefined {
  if (record.topic === userEventsTopic) return describeUserEvent(record, known.rows)
  if (record.value === null) return undefined
  let incoming: Incoming
  try {
    incoming = readRecord(record.value, record.headers)
  } catch (error) {
    return frame(record, '', 'unreadable', { note: (error as Error).message })
  }
  switch (incoming.kind) {
    case 'row':
      return describeRow(record, incoming.change, known)
    case 'truncate': {
      const { schema, table, committedAtMs } = incoming.truncate
      return frame(record, `${schema}.${table}`, 'truncate', { at: isoOf(committedAtMs) })
    }
    case 'contract':
      return describeContract(record, incoming.contract, known)
    case 'audit':
      return frame(record, '', 'message', { at: isoOf(incoming.message.committedAtMs), note: incoming.message.text })
    case 'unreadable':
      return frame(record, `${incoming.schema}.${incoming.table}`, 'unreadable', { note: incoming.reason })
    default:
      return undefined
  }
}

function frame(record: WatchedRecord, table: string, op: string, more: Partial<WatchedChange>): WatchedChange {
  const { topic, topicPartition, offset } = record
  const nothing = { key: null, before: null, after: null, changed: null }
  return { topic, topicPartition, offset, at: isoOf(record.timestampMs), table, op, ...nothing, ...more }
}

/** The timestamp is set by the producer and may be invalid. */
function isoOf(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? 'at an impossible time' : date.toISOString()
}

function describeContract(record: WatchedRecord, contract: TableContract, { contracts, met }: WatchKnowledge) {
  const version = `${contract.relation} ${contract.version}`
  if (met.has(version)) return undefined
  met.add(version)
  const name = `${contract.schema}.${contract.table}`
  if (contract.dropped) contracts.delete(name)
  else contracts.set(name, contract)
  const what = contract.dropped ? 'it was dropped' : (contract.refusal ?? `version ${contract.version} of its contract`)
  return frame(record, name, 'table', { note: what })
}

function describeRow(record: WatchedRecord, change: RowChange, { contracts, rows }: WatchKnowledge): WatchedChange {
  const table = `${change.schema}.${change.table}`
  const contract = contracts.get(table)
  const sent = { before: textRow(change.before, contract), after: textRow(change.after, contract) }
  const key = keyOf(sent.after ?? sent.before, contract)
  const place = key && `${table} ${JSON.stringify(key)}`
  const remembered = place === null ? undefined : rows.get(place)
  // With the default replica identity, the image before a change has only the key.
  const isWhole = contract?.replicaIdentity === 'full' || (contract === undefined && change.op === 'update')
  const before = isWhole ? sent.before : (remembered ?? (change.op === 'delete' ? key : null))
  const after = sent.after === null ? null : { ...remembered, ...sent.after }
  if (place !== null) rows.set(place, after)
  return frame(record, table, change.op.endsWith('read') ? 'read' : change.op, {
    at: isoOf(change.committedAtMs),
    key,
    before: change.op === 'create' ? null : before,
    after,
    changed: change.op === 'update' && before !== null && after !== null ? changedOf(before, after) : null,
    lsn: formatLsn(change.position.lsn),
  })
}

/** The columns whose values differ, before and after. */
function changedOf(before: TextRow, after: TextRow): NonNullable<WatchedChange['changed']> {
  const names = Object.keys(after).filter((name) => name in before && before[name] !== after[name])
  return Object.fromEntries(names.map((name) => [name, [before[name]!, after[name]!] as const]))
}

function keyOf(row: TextRow | null, contract: TableContract | undefined): TextRow | null {
  const names = contract === undefined ? [] : keyColumns(contract).map(({ name }) => name)
  if (row === null || names.length === 0) return null
  return Object.fromEntries(names.map((name) => [name, row[name] ?? null]))
}

function describeUserEvent(record: WatchedRecord, rows: RecentRows): WatchedChange {
  const event = readUserEvent(record.value ?? undefined)
  if ('malformed' in event) return frame(record, userEventsTopic, 'no event', { note: event.malformed })
  const place = `${userEventsTopic} ${event.id}`
  const row = userRow(event)
  const before = rows.get(place) ?? null
  rows.set(place, event.op === 'delete' ? null : row)
  return frame(record, userEventsTopic, event.op, {
    key: { id: event.id },
    before: event.op === 'insert' ? null : (before ?? (event.op === 'delete' ? row : null)),
    after: event.op === 'delete' ? null : row,
    changed: event.op === 'update' && before !== null ? changedOf(before, row) : null,
  })
}

function userRow({ id, name, age, ts, more }: UserEvent): TextRow {
  return { ...jsonRow(more ?? '{}'), id, name, age: age === null ? null : `${age}`, ts }
}
