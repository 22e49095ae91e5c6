import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { KeylessLedger } from '../keyless/keyless-ledger.ts'
import { TableRegister } from '../tables/table-register.ts'
import { planBatch } from './batch-plan.ts'
import { stepsOf } from './batch-steps.ts'
import type { Known } from './batch-underway.ts'
import { nothingPassed } from './change-fence.ts'

const nothingKnown = (): Known => ({
  topicPartition: 0,
  register: new TableRegister(),
  keyless: { ledger: new KeylessLedger(), readSnapshots: new Map() },
  fence: undefined,
  isStopped: () => false,
  isLogged: () => false,
})

/** What is known once the records of a log are applied. */
const after = ({ records }: ChangeLog, known = nothingKnown()): Known => ({
  ...known,
  ...planBatch(records, known).next,
})

const step = fc.record({
  id: fc.integer({ min: 1, max: 4 }),
  op: fc.constantFrom('create', 'update', 'delete', 'initialRead', 'incrementalRead'),
  name: fc.string({ maxLength: 3 }),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function logOf(steps: readonly Step[]): ChangeLog {
  const log = new ChangeLog().contract(ordersContract())
  steps.forEach(({ id, op, name }, i) => {
    if (op === 'delete') log.delete({ id }, { lsn: 100 + i })
    else log[op as 'create']({ id, name, amount: null }, op === 'incrementalRead' ? {} : { lsn: 100 + i })
  })
  return log
}

/** The rows after the steps are executed one by one, computed with a plain Map. */
function modelOf(steps: readonly Step[]): Map<number, string> {
  const rows = new Map<number, string>()
  const streamed = new Set<number>()
  for (const { id, op, name } of steps) {
    if (op === 'initialRead' && streamed.has(id)) continue
    if (op === 'create' || op === 'update' || op === 'delete') streamed.add(id)
    if (op === 'delete') rows.delete(id)
    else rows.set(id, name)
  }
  return rows
}

/** Executes the writes of a plan one after the other, as the target does. */
function rowsOf(log: ChangeLog): Map<number, string> {
  const rows = new Map<number, string>()
  const stored = new Map<string, { phase: number; lsn: number }>()
  for (const { tables } of stepsOf(planBatch(log.records, nothingKnown()).steps, 'write rows')) {
    for (const [key, write] of tables[0]!.rows) {
      const old = stored.get(key)
      const newer =
        old === undefined ||
        write.position.phase > old.phase ||
        (write.position.phase === old.phase && write.position.lsn > old.lsn)
      if (newer) stored.set(key, write.position)
      if (write.mode === 'ordered' && !newer) continue
      if (write.live) rows.set(Number(key), write.values[1] as string)
      else rows.delete(Number(key))
    }
  }
  return rows
}

test('a beacon of an epoch that was given up is not the newest, however great its number', () => {
  const log = new ChangeLog().beacon(3, { epoch: 2 }).beacon(900)

  expect(planBatch(log.records, nothingKnown()).beacon).toMatchObject({ epoch: 2, number: 3 })
})

test('the newest change of a batch is its last streamed one that is applied', () => {
  const log = new ChangeLog()
    .contract(ordersContract())
    .create({ id: 1, name: 'a', amount: null }, { lsn: 10, committedAtMs: 5_000 })
    .update({ id: 1, name: 'b', amount: null }, { lsn: 11, committedAtMs: 6_000 })
    .incrementalRead({ id: 2, name: 'c', amount: null })
    .beacon(1)

  expect(planBatch(log.records, nothingKnown())).toMatchObject({ committedAtMs: [5_000, 6_000], newestOffset: 2 })
  expect(planBatch(log.records.slice(0, 1), nothingKnown()).newestOffset).toBeUndefined()
})

test('a record of an epoch before the newest that the topic partition has met is skipped as a whole', () => {
  const met = new ChangeLog().readContract(ordersContract(), 5, 2).beacon(3, { epoch: 2, previousLsn: null })
  const known = after(met)
  const former = new ChangeLog()
    .start()
    .contract(ordersContract({ version: 7, relation: 9 }))
    .readContract(ordersContract({ version: 7, relation: 9 }), 5)
    .readBeacon('10:10:')
    .beacon(900, { previousLsn: '0/1' })
    .create({ id: 1, name: 'x', amount: null }, { lsn: 30 })
    .create({ id: 1 }, { lsn: null })
    .truncate({ lsn: 31 })
    .audit({}, { lsn: 32, txId: 7 })
    .beacon(0)
    .append('{"source":{"name":"tidemark_e1","schema":"public","table":"orders"},"tidemark_oversize":{}}')

  const plan = planBatch(former.records, known)

  expect(plan).toEqual(planBatch([], known))
  const next = new ChangeLog().beacon(4, { epoch: 2, lsn: '0/18', previousLsn: '0/10' })
  expect(planBatch(next.records, known)).toMatchObject({ refused: undefined, beacon: { number: 4 } })
  const gone = new ChangeLog().beacon(6, { epoch: 2, lsn: '0/28', previousLsn: '0/20' })
  expect(planBatch(gone.records, after(next, known)).refused).toMatchObject({
    reason: expect.stringContaining('after beacon 4, at 0/18, comes beacon 6'),
  })
})

test('a row or a streamed contract of a later epoch does not have the present one skipped', () => {
  const known = after(new ChangeLog().contract(ordersContract()).beacon(3))
  const forged = new ChangeLog()
    .create({ id: 1, name: 'x', amount: null }, { lsn: 30, epoch: 9 })
    .contract(ordersContract({ relation: 9, table: 'other' }), { lsn: 31, epoch: 9 })

  const log = new ChangeLog().create({ id: 2, name: 'x', amount: null }, { lsn: 32 })

  expect(planBatch(log.records, after(forged, known)).changes).toBe(1)
})

test('a batch reduced to one write per row leaves the rows that its changes leave one by one', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      expect(rowsOf(logOf(steps))).toEqual(modelOf(steps))
    }),
  )
})

test('planning changes nothing that it is given: planned once more, a batch comes to the same', () => {
  const keyless = ordersContract({
    ...{ relation: 9, table: 'events', replicaIdentity: 'full' },
    columns: [columnContract(1, 'what', 'text')],
  })
  const event = (what: string) => ({ what })
  const before = new ChangeLog()
    .start()
    .contract(ordersContract())
    .contract(keyless)
    .create(event('a'), { lsn: 10, txId: 5, table: 'events' })
    .create({ id: 1, name: 'a', amount: null }, { lsn: 11, txId: 6 })
  const behind = new ChangeLog()
    .contract(ordersContract({ version: 2, table: 'renamed' }), { lsn: 20 })
    .readBeacon('10:10:', { snapshotOf: { relation: 9, generation: 1 } })
    .create(event('b'), { lsn: 21, txId: 12, table: 'events' })
    .create(event('c'), { lsn: 22, txId: 13, table: 'events' })
    .create({ id: 2, name: 'b', amount: null }, { lsn: 23, txId: 14, table: 'renamed' })
    .start()
    .create(event('c'), { lsn: 22, txId: 13, table: 'events' })
    .beacon(1, { lsn: '0/20' })
    .beacon(2, { lsn: '0/30', confirmedLsn: '0/30' })
    .truncate({ lsn: 50, txId: 15, table: 'renamed' })
  const known = { ...after(before, { ...nothingKnown(), fence: nothingPassed }), isLogged: () => true }

  const [first, again] = [planBatch(behind.records, known), planBatch(behind.records, known)]

  expect(first.steps.map(({ kind }) => kind)).toEqual([
    'ensure days',
    'shape',
    'hold generations',
    'write rows',
    'truncate',
    'count rows',
    'await name',
    'keep contracts',
    'finalize',
    'finish initial read',
    'keep ledger',
  ])
  expect(again).toEqual(first)
  expect(again.next.fence).toEqual(first.next.fence)
  expect(known.register.contractOf(4711)?.contract.table).toBe('orders')
  expect(known.keyless.readSnapshots.size).toBe(0)
})

test('an update whose before image has another key ends the row of that key', () => {
  const log = new ChangeLog().contract(ordersContract())
  log.create({ id: 1, name: 'a', amount: null }, { lsn: 10 })
  log.change('u', { id: 1, name: null, amount: null }, { id: 2, name: 'b', amount: null }, { lsn: 11 })

  expect(rowsOf(log)).toEqual(new Map([[2, 'b']]))
})

test('a beacon that says that contracts are missing asks for capture', () => {
  const said = (contractsMissing: boolean) =>
    planBatch(new ChangeLog().beacon(1, { contractsMissing }).records, nothingKnown()).awaitsCapture
  expect([said(true), said(false)]).toEqual([true, false])
})

test('a table whose contract says it is pending asks for capture', () => {
  const log = new ChangeLog().contract(ordersContract({ published: false }))
  expect(planBatch(log.records, nothingKnown()).awaitsCapture).toBe(true)
})

test('a table that gets its key later is created then', () => {
  const keyless = ordersContract({ refusal: 'it has no primary key', columns: [] })
  const log = new ChangeLog().contract(keyless).contract(ordersContract({ version: 2 }), { lsn: 5 })

  const { steps } = planBatch(log.records, nothingKnown())
  expect(stepsOf(steps, 'shape')).toMatchObject([{ kept: { contract: { version: 2 } } }])
  expect(stepsOf(steps, 'stop table')).toEqual([])
})

test('an older contract delivered again does not come back into force', () => {
  const log = new ChangeLog()
    .contract(ordersContract({ version: 2 }))
    .contract(ordersContract({ version: 1, columns: [] }))

  expect(stepsOf(planBatch(log.records, nothingKnown()).steps, 'stop table')).toEqual([])
})

const behindTruncate = () => after(new ChangeLog().start().contract(ordersContract()).truncate({ lsn: 20, txId: 8 }))

describe('a truncate that capture sends again during the snapshot of the rows that followed it', () => {
  const again = () =>
    new ChangeLog()
      .contract(ordersContract({ version: 2, generation: 2, complete: false }), { lsn: 30 })
      .start()
      .truncate({ lsn: 20, txId: 8 })

  test('does not stop the table', () => {
    const { steps } = planBatch(again().records, behindTruncate())
    expect(stepsOf(steps, 'stop table')).toEqual([])
    expect(stepsOf(steps, 'truncate')).toEqual([])
  })

  test('is not quarantined once more where the table is stopped', () => {
    const known = { ...behindTruncate(), isStopped: () => true }
    expect(stepsOf(planBatch(again().records, known).steps, 'quarantine')).toEqual([])
  })
})

test('a truncate that comes first while rows are read has them read once more', () => {
  const log = new ChangeLog()
    .start()
    .contract(ordersContract({ complete: false }))
    .truncate({ lsn: 20, txId: 8 })
  expect(stepsOf(planBatch(log.records, nothingKnown()).steps, 'stop table')).toMatchObject([
    { stop: { reason: 'it was truncated during the snapshot of its rows', automatic: true } },
  ])
})
