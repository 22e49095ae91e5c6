import { describe, expect, test } from 'vitest'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { KeylessLedger } from '../keyless/keyless-ledger.ts'
import { TableRegister } from '../tables/table-register.ts'
import { stopRule } from '../tables/table-settings.ts'
import { planBatch } from './batch-plan.ts'
import { type Step, stepsForQuarantined, stepsOf } from './batch-steps.ts'
import type { Known } from './batch-underway.ts'
import { nothingPassed } from './change-fence.ts'

const nothingKnown = (more: Partial<Known> = {}): Known => ({
  ...{ topicPartition: 0, register: new TableRegister(), fence: nothingPassed },
  keyless: { ledger: new KeylessLedger(), readSnapshots: new Map() },
  ...{ isStopped: () => false, isLogged: () => false },
  ...more,
})
const plan = ({ records }: ChangeLog, known = nothingKnown()) => planBatch(records, known)
const after = (log: ChangeLog, known = nothingKnown()): Known => ({ ...known, ...plan(log, known).next })
const kinds = (steps: readonly Step[]) => steps.map(({ kind }) => kind)
const row = (id: number) => ({ id, name: 'a', amount: null })
const ordersKnown = (more: Partial<Known> = {}) => after(new ChangeLog().contract(ordersContract()), nothingKnown(more))
const wider = [...ordersContract().columns, columnContract(4, 'note', 'text')]

describe('a contract', () => {
  test('of a table that is new has it made before rows are written, and shown when it is kept', () => {
    const log = new ChangeLog().contract(ordersContract()).create(row(1), { lsn: 10 })

    expect(kinds(plan(log).steps)).toEqual([
      'shape',
      'hold generations',
      'write rows',
      'await name',
      'keep contracts',
      'finalize',
      'keep ledger',
    ])
  })

  test('among changes of its table has those before it written by the one before', () => {
    const log = new ChangeLog()
      .create(row(1), { lsn: 10 })
      .contract(ordersContract({ version: 2, columns: wider }), { lsn: 20 })
      .create({ ...row(2), note: 'n' }, { lsn: 30 })

    const { steps } = plan(log, ordersKnown())

    const written = stepsOf(steps, 'write rows').map(({ tables }) =>
      tables.map(({ table, rows }) => [table.contract.version, [...rows.keys()]]),
    )
    expect(written).toEqual([[[1, ['1']]], [[2, ['2']]]])
  })

  test('of a drop takes the table away behind its last rows', () => {
    const log = new ChangeLog()
      .create(row(1), { lsn: 10 })
      .contract(ordersContract({ version: 2, dropped: true }), { lsn: 20 })

    const { steps } = plan(log, ordersKnown())

    expect(kinds(steps)).toEqual([
      'hold generations',
      'write rows',
      'drop',
      'keep contracts',
      'finalize',
      'keep ledger',
    ])
  })

  test('of a table that is not complete is kept, and shows nothing yet', () => {
    const log = new ChangeLog().contract(ordersContract({ complete: false }))
    expect(kinds(plan(log).steps)).toEqual(['shape', 'await name', 'keep contracts'])
  })

  test('that comes twice in a batch finalizes its relation once', () => {
    const log = new ChangeLog()
      .contract(ordersContract())
      .contract(ordersContract({ version: 2, columns: wider }), { lsn: 5 })
    expect(stepsOf(plan(log).steps, 'finalize')).toMatchObject([{ contract: { version: 2 } }])
  })

  test('of a table that is stopped is kept, and changes nothing of it', () => {
    const isStopped = stopRule([{ relation: 4711, generation: 1, name: 'public.orders', accepted: false }])
    const log = new ChangeLog().contract(ordersContract({ version: 2, columns: wider }), { lsn: 20 })
    expect(kinds(plan(log, ordersKnown({ isStopped })).steps)).toEqual(['keep contracts'])
  })

  test('of a later generation than the stopped one makes a new table', () => {
    const isStopped = stopRule([{ relation: 4711, generation: 1, name: 'public.orders', accepted: false }])
    const log = new ChangeLog().contract(ordersContract({ version: 2, generation: 2 }), { lsn: 20 })
    expect(stepsOf(plan(log, ordersKnown({ isStopped })).steps, 'shape')).toHaveLength(1)
  })

  test('that says that a table cannot be captured any more stops it', () => {
    const log = new ChangeLog()
      .contract(ordersContract({ version: 2, refusal: 'it has no key' }), { lsn: 20 })
      .create(row(1), { lsn: 30 })

    const { steps, changes, quarantined } = plan(log, ordersKnown())

    expect(stepsOf(steps, 'stop table')).toMatchObject([
      { stop: { relation: 4711, reason: 'it cannot be captured any more: it has no key', automatic: false } },
    ])
    expect([changes, quarantined]).toEqual([0, 1])
  })

  test('of another slot is quarantined as a record, and stops the table that it names', () => {
    const log = new ChangeLog(1).contract(ordersContract({ version: 2 }), { lsn: 20 })

    const { steps, next } = plan(log, ordersKnown())

    expect(kinds(steps)).toEqual(['stop table', 'quarantine'])
    expect(stepsOf(steps, 'quarantine')).toMatchObject([
      { records: [{ offset: 0, tableName: 'tidemark.table_contract', relation: 0 }] },
    ])
    expect(next.register.contractOf(4711)?.contract.version).toBe(1)
  })

  test('that the source cannot have written leaves out no other table', () => {
    const log = new ChangeLog()
      .contract(ordersContract({ version: 5 }), { lsn: 20 })
      .contract(ordersContract({ relation: 9, table: 'other' }), { lsn: 21 })
      .create(row(1), { lsn: 30, table: 'other' })

    const { steps, changes } = plan(log, ordersKnown())

    expect(stepsOf(steps, 'stop table')).toMatchObject([{ stop: { relation: 4711 } }])
    expect(changes).toBe(1)
  })
})

describe('the order of steps', () => {
  const audited = () =>
    new ChangeLog()
      .contract(ordersContract({ version: 2, columns: wider }), { lsn: 5 })
      .create({ ...row(1), note: null }, { lsn: 10, txId: 7 })
      .truncate({ lsn: 20, txId: 8 })
      .create({ ...row(2), note: null }, { lsn: 30, txId: 9 })
      .audit({ who: 'me' }, { lsn: 31, txId: 9 })
      .append(undefined)
      .beacon(1, { lsn: '0/40' })

  test('is: days, tables, rows from before a truncate that history keeps, the truncate, rows, the saved state', () => {
    const { steps } = plan(audited(), ordersKnown({ isLogged: () => true }))

    expect(kinds(steps)).toEqual([
      'ensure days',
      'shape',
      'hold generations',
      'write rows',
      'truncate',
      'write rows',
      'keep audits',
      'await name',
      'keep contracts',
      'finalize',
      'finish initial read',
      'keep ledger',
      'quarantine',
    ])
    expect(stepsOf(steps, 'ensure days')).toEqual([{ kind: 'ensure days', days: [19_675] }])
  })

  test('of a truncate has no rows from before it where history keeps none, and this is recorded', () => {
    const { steps } = plan(audited(), ordersKnown())

    const written = stepsOf(steps, 'write rows').flatMap(({ tables }) => tables.map(({ rows }) => [...rows.keys()]))
    expect(written).toEqual([['2']])
    expect(stepsOf(steps, 'hold generations')).toMatchObject([{ generations: [{ unlogged: true }] }])
    expect(kinds(steps)).not.toContain('ensure days')
  })

  test('for quarantined records is the same, without the steps that were executed when they came', () => {
    const { steps } = plan(audited(), ordersKnown({ isLogged: () => true }))

    expect(kinds(stepsForQuarantined(steps))).toEqual([
      'ensure days',
      'shape',
      'hold generations',
      'write rows',
      'truncate',
      'write rows',
      'keep audits',
      'await name',
    ])
  })

  test('of a batch that says nothing is empty', () => {
    expect(planBatch([], ordersKnown())).toMatchObject({ steps: [], changes: 0, refused: undefined })
  })
})

test('each table without a key is counted in the order in which it is cleared and filled', () => {
  const keyless = ordersContract({
    ...{ relation: 9, table: 'events', replicaIdentity: 'full' },
    columns: [columnContract(1, 'what', 'text')],
  })
  const origin = { table: 'events', txId: 5 }
  const log = new ChangeLog()
    .contract(keyless)
    .create({ what: 'a' }, { ...origin, lsn: 10 })
    .truncate({ ...origin, lsn: 11 })
    .create({ what: 'b' }, { ...origin, lsn: 12 })

  const counted = stepsOf(plan(log).steps, 'count rows').map(({ writes: { cleared, changes } }) => [
    cleared,
    changes.flatMap((change) => change.after),
  ])

  expect(counted).toEqual([
    [false, ['a']],
    [true, ['b']],
  ])
})

test('an initial snapshot is followed: each attempt once, its end at the first streamed beacon', () => {
  const log = new ChangeLog()
    .readContract(ordersContract(), 50)
    .initialRead(row(1), { lsn: 50 })
    .readContract(ordersContract(), 90)
    .initialRead(row(1), { lsn: 90 })
    .beacon(1, { lsn: '0/99' })

  const { steps } = plan(log)

  expect(stepsOf(steps, 'begin initial read').map(({ position }) => position.lsn)).toEqual([50, 90])
  expect(stepsOf(steps, 'finish initial read')).toMatchObject([{ beacon: { number: 1 } }])
})

test('a batch is refused where its beacon is of another source, before anything else is checked', () => {
  const source = { systemIdentifier: '7002', beaconEpoch: 1, nextOffset: 40 }
  const log = new ChangeLog().create(row(1), { lsn: 10 }).beacon(1)

  expect(plan(log, ordersKnown({ source })).refused).toMatchObject({
    offset: 40,
    reason: expect.stringContaining('7002'),
  })
  expect(plan(log, ordersKnown({ source: { ...source, systemIdentifier: '7001' } })).refused).toBeUndefined()
})
