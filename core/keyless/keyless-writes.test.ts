import { expect, test } from 'vitest'
import { columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { UNAVAILABLE_PLACEHOLDER } from '../codecs/unavailable.ts'
import { TableRegister } from '../tables/table-register.ts'
import type { RowChange } from '../wire/change.ts'
import { KeylessLedger } from './keyless-ledger.ts'
import { type KeylessProgress, keylessChange, tablesRead, withReadSnapshot } from './keyless-writes.ts'

const register = new TableRegister()
const keyless = { replicaIdentity: 'full', columns: [columnContract(1, 'what', 'text')] } as const
const at = { epoch: 1, phase: 1, lsn: 1 } as const
register.enter(ordersContract({ ...keyless, relation: 9, table: 'events', columns: [...keyless.columns] }), at)
register.enter(ordersContract({ ...keyless, relation: 10, table: 'notes', columns: [...keyless.columns] }), at)
register.enter(ordersContract(), at)
const events = [...register.applied()][0]!

const nothingKnown = (): KeylessProgress => ({ ledger: new KeylessLedger(), readSnapshots: new Map() })
const change = (op: RowChange['op'], before: string | null, after: string | null, more: Partial<RowChange> = {}) =>
  keylessChangeOf({
    ...{ op, schema: 'public', table: 'events', position: { epoch: 1, phase: 1, lsn: 50 }, txId: 5 },
    before: before === null ? null : { what: before },
    after: after === null ? null : { what: after },
    ...{ otherKey: undefined, committedAtMs: 1_700_000_000_000 },
    ...more,
  })
const keylessChangeOf =
  (one: RowChange) =>
  (known: KeylessProgress = nothingKnown()) =>
    keylessChange(known, events, one, 7)

test('a create is one row more, a delete one row less, an update both', () => {
  expect(change('create', null, 'a')()).toMatchObject({ offset: 7, before: undefined, after: ['a'] })
  expect(change('delete', 'a', null)()).toMatchObject({ before: ['a'], after: undefined })
  expect(change('update', 'a', 'b')()).toMatchObject({ before: ['a'], after: ['b'] })
})

test('a change that was applied before does not count again', () => {
  const known = nothingKnown()
  expect(change('create', null, 'a')(known)).toMatchObject({ place: { txId: 5, lsn: 50, ordinal: 0 } })

  known.ledger.start({ epoch: 1, reads: false })

  expect(change('create', null, 'a')(known)).toBeUndefined()
})

test('a change that the snapshot of its table saw does not count, a later one does', () => {
  const known = withReadSnapshot(nothingKnown(), events, '10:10:')
  expect(change('create', null, 'a', { txId: 9 })(known)).toBeUndefined()
  expect(change('create', null, 'b', { txId: 10 })(known)).toBeDefined()
})

test('a row that is read counts, and has no place in the log', () => {
  const known = withReadSnapshot(nothingKnown(), events, '10:10:')
  const phase0 = { position: { epoch: 1, phase: 0, lsn: 1 }, txId: null } as const
  expect(change('initial read', null, 'a', phase0)(known)).toMatchObject({ place: null, after: ['a'] })
})

test('a change that has no place, or does not have the whole row, is refused', () => {
  expect(() => change('create', null, 'a', { txId: null })()).toThrow('the change has no transaction id')
  expect(() => change('delete', null, null)()).toThrow('the delete has no before image')
  expect(() => change('update', 'a', UNAVAILABLE_PLACEHOLDER)()).toThrow('an unchanged TOASTed value')
})

test('what is known of a snapshot does not change what was known before it', () => {
  const before = nothingKnown()
  const known = withReadSnapshot(before, events, '10:20:15')
  expect([before.readSnapshots.size, [...known.readSnapshots.keys()]]).toEqual([0, ['9 1']])
  expect(() => withReadSnapshot(before, events, 'nonsense')).toThrow('is not a snapshot')
})

test('a blocking snapshot reads the table that it names, the initial one every keyless table', () => {
  const readBy = (snapshotOf: { relation: number; generation: number } | null) =>
    tablesRead(register, { epoch: 1, slot: 0, readSnapshot: '10:10:', snapshotOf }).map(
      ({ contract }) => contract.table,
    )
  expect(readBy(null)).toEqual(['events', 'notes'])
  expect(readBy({ relation: 10, generation: 1 })).toEqual(['notes'])
  expect(readBy({ relation: 10, generation: 2 })).toEqual([])
  expect(readBy({ relation: 4711, generation: 1 })).toEqual([])
})
