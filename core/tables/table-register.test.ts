import { describe, expect, test } from 'vitest'
import { columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import type { TableContract } from '../contract.ts'
import type { Position } from '../position.ts'
import { TableRegister } from './table-register.ts'

const at = (lsn: number, epoch = 1): Position => ({ epoch, phase: 1, lsn })
const read: Position = { epoch: 1, phase: 0, lsn: 0 }

/** A register after contracts have come, each at its position. */
function registerOf(...contracts: readonly (readonly [Partial<TableContract>, Position])[]): TableRegister {
  const register = new TableRegister()
  for (const [changes, position] of contracts) register.enter(ordersContract(changes), position)
  return register
}
const versionAt = (register: TableRegister, name: string, position: Position) => {
  const found = register.find(name, position)
  return found.kind === 'applied' ? found.table.contract.version : found.kind
}
const wider = [...ordersContract().columns, columnContract(4, 'note', 'text')]

describe('a change', () => {
  test('that no contract precedes is refused', () => {
    expect(new TableRegister().find('public.orders', at(5))).toMatchObject({ kind: 'refused', relation: 0 })
  })

  test('is read by the contract before it, and not applied where the table had another shape', () => {
    const register = registerOf([{}, at(10)], [{ version: 2, columns: wider }, at(20)])

    expect(versionAt(register, 'public.orders', at(25))).toBe(2)
    expect(versionAt(register, 'public.orders', at(15))).toBe('former')
  })

  test('from before a contract of the same shape is read by it', () => {
    const register = registerOf([{}, at(10)], [{ version: 2, replicaIdentity: 'full' }, at(20)])
    expect(versionAt(register, 'public.orders', at(15))).toBe(2)
  })

  test('is of the table that had the name at its position', () => {
    const register = registerOf(
      [{ relation: 1 }, at(10)],
      [{ relation: 1, version: 2, table: 'orders_old' }, at(20)],
      [{ relation: 2, version: 7 }, at(20)],
    )

    expect(versionAt(register, 'public.orders', at(21))).toBe(7)
    expect(versionAt(register, 'public.orders', at(15))).toBe('former')
    expect(versionAt(register, 'public.orders_old', at(21))).toBe(2)
    expect(register.named('public.orders')?.relation).toBe(2)
  })

  test('that follows the drop of its table is refused, unless another table has the name by then', () => {
    const register = registerOf([{}, at(10)], [{ version: 2, dropped: true }, at(20)])
    expect(register.find('public.orders', at(25))).toMatchObject({ kind: 'refused', relation: 4711 })

    register.enter(ordersContract({ relation: 9 }), at(30))

    expect(versionAt(register, 'public.orders', at(35))).toBe(1)
  })

  test('of a table that is not published is left to the snapshot that follows', () => {
    expect(versionAt(registerOf([{ published: false }, at(10)]), 'public.orders', at(15))).toBe('former')
  })

  test('of a table that cannot be captured is refused with the reason of its contract', () => {
    const register = registerOf([{ refusal: 'it has no primary key' }, at(10)])
    expect(register.find('public.orders', at(15))).toMatchObject({ kind: 'refused', reason: 'it has no primary key' })
  })

  test('of a type that is not carried exactly is refused', () => {
    const columns = [columnContract(1, 'id', 'aclitem', { key: 1 })]
    expect(registerOf([{ columns }, at(10)]).find('public.orders', at(15))).toMatchObject({
      reason: 'column id has type aclitem, which is not carried exactly',
    })
  })

  test('that is read is of the table that has the name now', () => {
    expect(versionAt(registerOf([{}, at(10)], [{ version: 2, columns: wider }, at(20)]), 'public.orders', read)).toBe(2)
  })
})

describe('a contract', () => {
  test('has the table shaped, dropped or stopped', () => {
    const register = new TableRegister()
    expect(register.enter(ordersContract(), at(10))).toEqual({ kind: 'shape' })
    expect(register.enter(ordersContract({ version: 2, refusal: 'no' }), at(20))).toMatchObject({
      kind: 'stop',
      reason: 'it cannot be captured any more: no',
    })
    expect(register.enter(ordersContract({ version: 3, dropped: true }), at(30))).toEqual({ kind: 'drop' })
  })

  test('of a table that is not published, was never captured, or is not known when it is dropped does nothing', () => {
    const effects = [{ published: false }, { refusal: 'it has no primary key' }, { dropped: true }].map((changes) =>
      new TableRegister().enter(ordersContract(changes), at(10)),
    )
    expect(effects).toEqual([{ kind: 'none' }, { kind: 'none' }, { kind: 'none' }])
  })

  test('that comes again, or of an epoch that was given up, does not come into force', () => {
    const register = registerOf([{ version: 2, columns: wider }, at(20, 2)])

    expect(register.enter(ordersContract({ version: 1 }), at(10, 2))).toEqual({ kind: 'none' })
    expect(register.enter(ordersContract({ version: 2 }), at(20, 2))).toEqual({ kind: 'none' })
    expect(register.enter(ordersContract({ version: 9 }), at(90, 1))).toEqual({ kind: 'none' })
    expect(register.contractOf(4711)).toMatchObject({ epoch: 2, contract: { version: 2, columns: wider } })
  })

  test('of a later epoch comes into force whatever its version', () => {
    const register = registerOf([{ version: 8 }, at(10)])
    expect(register.enter(ordersContract({ version: 1 }), at(5, 2))).toEqual({ kind: 'shape' })
  })

  test.each([
    ['another one of the same version', { version: 2, columns: wider }, 20, 'another contract of version 2'],
    ['one of an earlier generation', { version: 3, generation: 1 }, 30, 'its generation 1 is before 2'],
    [
      'one that stands before its predecessor',
      { version: 3 },
      10,
      'it was written before the version that precedes it',
    ],
    ['one behind a version that is missing', { version: 4 }, 30, 'versions 3 to 3 of the contract are missing'],
  ])('is impossible: %s', (_, changes, lsn, reason) => {
    const register = registerOf([{ version: 2, generation: 2 }, at(20)])
    expect(register.impossibleContract(ordersContract({ generation: 2, ...changes }), at(lsn))).toContain(reason)
  })

  test('is possible: the next one, one that comes again, one that begins a generation, and one of another epoch', () => {
    const register = registerOf([{ version: 2 }, at(20)])
    const possible = [
      [{ version: 3 }, at(30)],
      [{ version: 2 }, at(20)],
      [{ version: 1 }, at(10)],
      [{ version: 7, generation: 2, complete: false }, at(30)],
      [{ version: 1, generation: 1 }, at(5, 2)],
    ] as const
    for (const [changes, position] of possible) {
      expect(register.impossibleContract(ordersContract(changes), position)).toBeUndefined()
    }
  })

  test('that begins a generation while the one before is read leaves reads of that one to come', () => {
    const register = registerOf([{ complete: false }, at(10)])
    expect(register.meetsFormerReads(4711)).toBe(false)

    register.enter(ordersContract({ version: 2, generation: 2, complete: false }), at(20))
    expect(register.meetsFormerReads(4711)).toBe(true)

    register.enter(ordersContract({ version: 3, generation: 2, complete: true }), at(30))
    expect(register.meetsFormerReads(4711)).toBe(false)
  })
})

test('a copy goes its own way', () => {
  const register = registerOf([{}, at(10)])
  const copy = new TableRegister(register)

  copy.enter(ordersContract({ version: 2, table: 'renamed' }), at(20))

  expect([versionAt(register, 'public.orders', at(25)), versionAt(copy, 'public.renamed', at(25))]).toEqual([1, 2])
  expect(register.find('public.renamed', at(25))).toMatchObject({ kind: 'refused' })
})

test('the tables that are applied are published, there, and carried exactly', () => {
  const register = registerOf(
    [{ relation: 1, table: 'a' }, at(10)],
    [{ relation: 2, table: 'b', published: false }, at(10)],
    [{ relation: 3, table: 'c', refusal: 'no' }, at(10)],
    [{ relation: 4, table: 'd' }, at(10)],
    [{ relation: 4, table: 'd', version: 2, dropped: true }, at(20)],
  )
  expect([...register.applied()].map(({ contract }) => contract.table)).toEqual(['a'])
})
