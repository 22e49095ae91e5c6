import { globSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ChangeLog, ordersContract } from '#test-support/changes/change-log.ts'
import { type HostileRecord, hostileChanges } from '#test-support/hostile/hostile-records.ts'
import { KeylessLedger } from '../keyless/keyless-ledger.ts'
import { TableRegister } from '../tables/table-register.ts'
import { planBatch } from './batch-plan.ts'
import { stepsOf } from './batch-steps.ts'

const captured = globSync('fixtures/envelopes/*.json').map((file) => JSON.parse(readFileSync(file, 'utf8')).value)
const written = new ChangeLog()
  .contract(ordersContract())
  .create({ id: 1, name: 'a', amount: '1.00' }, { lsn: 10 })
  .beacon(1, { lsn: '0/20' })
  .readBeacon('10:10:', { snapshotOf: { relation: 4711, generation: 1 } })
  .start()
  .records.map(({ value }) => JSON.parse(value!))

/** Values that a record seldom has in any place. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    null,
    -1,
    1.5,
    2 ** 53,
    1e300,
    '',
    '\0',
    '\ud800',
    '__proto__',
    [],
    {},
    '7',
    '٣',
    'tidemark',
    'beacon',
  ),
)

/** A record as capture sends it, with some of its members replaced, removed, or put in another's place. */
const hostile = fc
  .record({
    record: fc.constantFrom(...captured, ...written),
    edits: fc.array(fc.record({ at: fc.nat(60), value: fc.option(odd, { nil: undefined }) }), {
      minLength: 1,
      maxLength: 4,
    }),
    cut: fc.option(fc.nat(600), { nil: undefined, freq: 10 }),
  })
  .map(({ record, edits, cut }) => {
    const copy = structuredClone(record)
    for (const { at, value } of edits) edit(copy, at, value)
    return (JSON.stringify(copy) ?? 'null').slice(0, cut)
  })

function edit(record: object, at: number, value: unknown): void {
  const places: [Record<string, unknown>, string][] = []
  const walk = (of: Record<string, unknown>) => {
    for (const name of Object.keys(of)) {
      places.push([of, name])
      if (typeof of[name] === 'object' && of[name] !== null) walk(of[name] as Record<string, unknown>)
    }
  }
  walk(record as Record<string, unknown>)
  const place = places[at % Math.max(places.length, 1)]
  if (place === undefined) return
  if (value === undefined) delete place[0][place[1]]
  else Object.defineProperty(place[0], place[1], { value, enumerable: true, configurable: true, writable: true })
}

const planOf = (values: readonly string[], headers?: { oldKey: string }) =>
  planBatch(
    [
      ...new ChangeLog().contract(ordersContract()).records,
      ...values.map((value, i) => ({ offset: i + 1, value, headers })),
    ],
    {
      topicPartition: 0,
      register: new TableRegister(),
      keyless: { ledger: new KeylessLedger(), readSnapshots: new Map() },
      fence: undefined,
      isStopped: () => false,
      isLogged: () => true,
    },
  )

test('whatever a record holds, planning ends, and the change behind it is applied', () => {
  const good = new ChangeLog().create({ id: 99, name: 'good', amount: null }, { lsn: 4_000_000_000_000 }).records[0]!
    .value!

  fc.assert(
    fc.property(fc.array(hostile, { minLength: 1, maxLength: 5 }), (values) => {
      const { changes, steps } = planOf([...values, good])

      const kept = stepsOf(steps, 'quarantine').flatMap(({ records }) => records)
      const isKept = kept.some(({ offset }) => offset === values.length + 1)
      expect(changes > 0 || isKept).toBe(true)
    }),
    { numRuns: 3_000 },
  )
})

test('whatever a header holds, planning ends', () => {
  const moved = new ChangeLog().create({ id: 1, name: 'a', amount: null }, { lsn: 10 }).records[0]!.value!

  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (oldKey) => void planOf([moved], { oldKey })))
})

test('whatever bytes a record holds, it is quarantined or read', () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (value) => void planOf([value])))
})

/** The first beacon of a topic partition may have any number, so a number that is too great is not noticed yet. */
const ofAnotherNumber = ({ name }: HostileRecord) => !name.includes('after.number')

test.each(hostileChanges().filter((record) => record.name.startsWith('a beacon that') && ofAnotherNumber(record)))(
  'before any other, $name, and the beacons of the source follow',
  ({ value }) => {
    const own = new ChangeLog().beacon(1, { lsn: '0/20', previousLsn: null, emittedMs: 1 }).records[0]!.value!

    const { refused, beacon } = planOf([value!.toString(), own])

    expect(refused).toBeUndefined()
    expect(beacon?.lsn).toBe('0/20')
  },
)
