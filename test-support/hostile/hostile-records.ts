import { readFileSync } from 'node:fs'
import { UNAVAILABLE_PLACEHOLDER } from '#core/column-codec.ts'
import { columnContract, ordersContract } from '#test-support/changes/change-log.ts'

/**
 * The outcome of a hostile record: it is quarantined without a table, it stops its table and is quarantined for it, or
 * it is applied.
 */
export type HostileOutcome = 'quarantined' | 'stops' | 'applied'

/** A record that Debezium never or hardly ever sends. */
export type HostileRecord = {
  readonly name: string
  readonly value: Buffer | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly outcome: HostileOutcome
}

/** Nested brackets. Without `in` they are the whole value. */
type Nested = { in?: string; open: string; middle?: string; close: string; depth: number }

/** A group of the fixture. Each of its values makes a record; `set` puts each value at a path of the base. */
type Group = {
  about: string
  outcome: HostileOutcome
  base?: 'change' | 'beacon' | 'read beacon' | 'contract' | 'delta'
  values?: (string | null)[]
  hex?: string[]
  nested?: Nested[]
  set?: Record<string, unknown[]>
  oldKey?: string[]
  expression?: string[]
}

const read = (file: string): Group[] =>
  JSON.parse(readFileSync(new URL(`../../fixtures/hostile/${file}`, import.meta.url), 'utf8'))

/** The records for the topic `user-events`. */
export const hostileUserEvents = (): HostileRecord[] => read('user-events.json').flatMap(expand)

/**
 * The records for the topic `changes`. Changes are of `public.orders` (relation 4711), contracts are of relations of
 * their own.
 */
export const hostileChanges = (): HostileRecord[] =>
  ['changes.json', 'control-records.json'].flatMap(read).flatMap(expand)

function expand(group: Group): HostileRecord[] {
  const { about, outcome } = group
  const make = (what: string, value: Buffer | undefined, headers = {}): HostileRecord => ({
    name: `${about}: ${what.slice(0, 80)}`,
    value,
    headers,
    outcome,
  })
  return [
    ...(group.values ?? []).map((text) => make(JSON.stringify(text), text === null ? undefined : Buffer.from(text))),
    ...(group.hex ?? []).map((hex) => make(hex, Buffer.from(hex, 'hex'))),
    ...(group.nested ?? []).map((nested) => nest(group, nested, make)),
    ...Object.entries(group.set ?? {}).flatMap(([path, values]) =>
      values.map((value) => make(`${path} ${JSON.stringify(value)}`, Buffer.from(textWith(group, path, value)))),
    ),
    ...(group.oldKey ?? []).map((key) => make(key, Buffer.from(moved()), { '__debezium.oldkey': key })),
    ...(group.expression ?? []).map((expression) => make(expression, Buffer.from(generated(expression)))),
  ]
}

function nest(
  group: Group,
  { in: path, open, middle = '', close, depth }: Nested,
  make: (what: string, value: Buffer, headers?: Record<string, string>) => HostileRecord,
): HostileRecord {
  const text = open.repeat(depth) + middle + close.repeat(depth)
  const what = `${depth} times ${open} in ${path ?? 'the record'}`
  if (path === undefined) return make(what, Buffer.from(text))
  if (path === 'header') return make(what, Buffer.from(moved()), { '__debezium.oldkey': text })
  return make(what, Buffer.from(textWith(group, path, 'HERE').replace('"HERE"', text)))
}

const source = (table: string, schema = 'public') => ({
  version: '3.7.0.Final',
  name: 'tidemark_e1',
  snapshot: 'false',
  db: 'shop',
  sequence: '[]',
  schema,
  table,
  txId: 900,
  lsn: 5_000_000,
  ts_us: 1_700_000_000_000_000,
})

const change = (after: object) => ({ before: null, after, source: source('orders'), transaction: null, op: 'c' })

/** Half of a key change, which leaves out a value of the row with its former key. */
const moved = () => JSON.stringify(change({ id: 1, name: UNAVAILABLE_PLACEHOLDER, amount: null }))

let relation = 5000

/** The relation is another one each time, so that one record does not influence the outcome of the next. */
function contractRow() {
  relation++
  return { relation, version: 1, slot: 0, contract: ordersContract({ relation, table: `victim${relation}` }) }
}

function baseOf({ base = 'change' }: Pick<Group, 'base'>): Record<string, unknown> {
  if (base === 'delta') return { id: 7, name: 'Ann', age: 40, op: 'insert', event_order: 1, ts: null, more: null }
  if (base === 'change') return change({ id: 1, name: 'hostile', amount: null })
  if (base === 'contract') return { op: 'c', source: source('table_contract', 'tidemark'), after: contractRow() }
  const emitted = { slot: 0, number: 1, emitted_at: '2026-01-01T00:00:00Z' }
  const body = {
    systemIdentifier: '7001',
    lsn: '0/10',
    topicPartitions: 1,
    confirmedLsn: null,
    contractsMissing: false,
  }
  if (base === 'beacon') return { op: 'u', source: source('beacon', 'tidemark'), after: { ...emitted, body } }
  const reading = { snapshot: '10:10:', reading: { relation, generation: 1 } }
  return { op: 'r', source: source('beacon', 'tidemark'), after: { ...emitted, body: reading } }
}

function textWith(group: Pick<Group, 'base'>, path: string, value: unknown): string {
  const envelope = structuredClone(baseOf(group))
  const places = path.replace(/^(body|contract)(?=\.)/, 'after.$1').split('.')
  let holder = envelope
  for (const place of places.slice(0, -1)) holder = holder[place] as Record<string, unknown>
  Object.defineProperty(holder, places.at(-1)!, { value, enumerable: true, configurable: true, writable: true })
  return encode(envelope)
}

/** Contracts and the bodies of beacons are JSON inside JSON. */
function encode(envelope: Record<string, unknown>): string {
  const after = envelope['after'] as Record<string, unknown> | null
  const inner = ['body', 'contract'].find((name) => typeof after?.[name] === 'object' && after[name] !== null)
  if (inner === undefined) return JSON.stringify(envelope)
  return JSON.stringify({ ...envelope, after: { ...after, [inner]: JSON.stringify(after![inner]) } })
}

function generated(expression: string): string {
  const column = columnContract(4, 'computed', 'text', { generated: true, expression })
  const row = contractRow()
  const contract = { ...row.contract, columns: [...row.contract.columns, column] }
  return encode({ ...baseOf({ base: 'contract' }), after: { ...row, contract } })
}
