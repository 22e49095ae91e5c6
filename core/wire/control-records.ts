import * as v from 'valibot'
import { parseContract, type TableContract } from '../contract.ts'
import { readTime } from '../event-time.ts'
import { Malformed } from '../event-values.ts'
import { parseLsn } from '../lsn.ts'
import type { Position } from '../position.ts'
import { parseReadSnapshot } from '../read-snapshot.ts'
import { EnvelopeError, imageOf, isObject, kindOf, type Members, namedEpoch, placeOf } from './wire-envelope.ts'
import { parse } from './wire-json.ts'

/** A streamed beacon. Everything that the source committed before it precedes it in every topic partition. */
export type Beacon = {
  readonly epoch: number
  readonly number: number
  readonly slot: number
  readonly lsn: string
  readonly systemIdentifier: string
  /** How many topic partitions have a beacon. */
  readonly topicPartitions: number
  readonly emittedAt: string
  /** `lsn` of the beacon before it: null for the first beacon, undefined when the source does not send it. */
  readonly previousLsn?: string | null | undefined
  /** When it was emitted, in ms since 1970. */
  readonly emittedMs?: number | undefined
  /** The confirmed Lsn of the replication slot: nothing that was committed before it will be delivered again. */
  readonly confirmedLsn: string | null
  /** Whether DDL was committed whose contract could not be written. The next run of capture-tables writes it. */
  readonly contractsMissing: boolean
}

/** A beacon row that a snapshot of the source reads, before the rows of its tables. */
export type ReadBeacon = {
  readonly epoch: number
  readonly slot: number
  /** The database snapshot in which rows are read, as pg_snapshot writes it; null when it is not sent. */
  readonly readSnapshot: string | null
  /** The generation that a blocking snapshot reads; null for the initial snapshot, which reads every table. */
  readonly snapshotOf: { readonly relation: number; readonly generation: number } | null
}

/** What a record of one of Tidemark's own tables says. */
export type ControlRecord =
  | { readonly kind: 'contract'; readonly position: Position; readonly slot: number; readonly contract: TableContract }
  | { readonly kind: 'beacon'; readonly position: Position; readonly beacon: Beacon }
  | { readonly kind: 'read beacon'; readonly position: Position; readonly beacon: ReadBeacon }
  | ImpossibleRecord
  | { readonly kind: 'ignored' }

/** A record that the source cannot have written, with the relation and the epoch that it names, if it names any. */
export type ImpossibleRecord = {
  readonly kind: 'impossible'
  readonly table: string
  readonly reason: string
  readonly relation: number | null
  readonly epoch?: number | undefined
}

/**
 * Reads a record of the schema `tidemark`. Marks that capture itself writes to `tidemark.signal`, and deleted rows, are
 * ignored. Never throws: a record that the source cannot have written is `impossible`.
 */
export function readControl(envelope: Members, source: Members, table: string): ControlRecord {
  try {
    if (table === 'signal') return { kind: 'ignored' }
    if (table !== 'table_contract' && table !== 'beacon') throw new EnvelopeError('nothing of it is captured')
    const row = imageOf(envelope, 'after')
    if (row === null) return { kind: 'ignored' }
    const { position } = placeOf(envelope['op'] === 'r' ? 'initial read' : 'streamed', source)
    if (table === 'table_contract') return readContract(row, position)
    return position.phase === 0
      ? { kind: 'read beacon', position, beacon: readReadBeacon(row, position.epoch) }
      : { kind: 'beacon', position, beacon: readBeacon(row, position) }
  } catch (error) {
    return {
      kind: 'impossible',
      table,
      reason: (error as Error).message,
      relation: relationOf(envelope, table),
      epoch: namedEpoch(envelope),
    }
  }
}

function relationOf(envelope: Members, table: string): number | null {
  const after = envelope['after'] as Members | null | undefined
  const relation = table === 'table_contract' ? after?.['relation'] : null
  return typeof relation === 'number' ? relation : null
}

const slot = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(9_999))
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const lsn = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (dataset.typed && !isReadable(parseLsn, dataset.value)) addIssue({ message: 'is not a log sequence number' })
  }),
)
const snapshot = v.pipe(
  v.string(),
  v.check((text) => isReadable(parseReadSnapshot, text), 'is not a snapshot'),
)

function isReadable(read: (text: string) => unknown, text: string): boolean {
  try {
    read(text)
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

const contractRow = v.object({ relation: whole, version: whole, slot, contract: v.string() })

function readContract(row: Members, position: Position): ControlRecord {
  const { contract: text, ...named } = check(contractRow, row)
  const contract = parseContract(parse(text))
  if (contract.relation !== named.relation || contract.version !== named.version) {
    throw new EnvelopeError('the contract is of another relation or version than its row')
  }
  return { kind: 'contract', position, slot: named.slot, contract }
}

const beaconRow = v.object({
  slot,
  number: v.pipe(whole, v.minValue(1)),
  body: v.string(),
  emitted_at: v.pipe(
    v.string(),
    v.isoTimestamp(),
    v.check((text) => !(readTime(text) instanceof Malformed), 'is not a day of the calendar'),
  ),
})
const beaconBody = v.object({
  lsn,
  systemIdentifier: v.pipe(v.string(), v.regex(/^\d{1,20}$/)),
  topicPartitions: v.pipe(slot, v.minValue(1)),
  confirmedLsn: v.nullish(lsn, null),
  contractsMissing: v.optional(v.boolean(), false),
  previousLsn: v.optional(v.nullable(lsn)),
  emittedMs: v.optional(whole),
})

function readBeacon(row: Members, { epoch, lsn: at }: Position): Beacon {
  const { body, emitted_at: emittedAt, ...place } = check(beaconRow, row)
  const beacon = { epoch, emittedAt, ...place, ...check(beaconBody, parse(body)) }
  if (beacon.slot >= beacon.topicPartitions) throw new EnvelopeError(`there is no slot ${beacon.slot}`)
  // A beacon has the Lsn at the moment when it was written, and its own record comes after that Lsn.
  if (parseLsn(beacon.lsn) > at) throw new EnvelopeError(`its lsn ${beacon.lsn} is behind its own record`)
  return beacon
}

const readBeaconRow = v.object({ slot, body: v.string() })
const readBeaconBody = v.object({
  snapshot: v.nullish(snapshot, null),
  reading: v.nullish(v.object({ relation: whole, generation: whole }), null),
})

function readReadBeacon(row: Members, epoch: number): ReadBeacon {
  const { slot, body } = check(readBeaconRow, row)
  const { snapshot: readSnapshot, reading: snapshotOf } = check(readBeaconBody, parse(body))
  return { epoch, slot, readSnapshot, snapshotOf }
}

function check<const S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  if (!isObject(value)) throw new EnvelopeError(`it is ${kindOf(value)}, not an object`)
  const parsed = v.safeParse(schema, value)
  if (parsed.success) return parsed.output
  const issue = parsed.issues[0]
  throw new EnvelopeError(`${v.getDotPath(issue) ?? 'it'}: ${issue.message}`)
}
