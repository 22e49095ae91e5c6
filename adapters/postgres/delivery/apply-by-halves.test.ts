import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyByHalves, type Halving } from './apply-by-halves.ts'

type Effect = { readonly applied: number[]; readonly quarantined: number[] }

/** Applies numbers. `refuses` returns the error for a batch that cannot be applied. */
function halvingOf(refuses: (batch: readonly number[]) => Error | undefined) {
  const done: Effect = { applied: [], quarantined: [] }
  const halving: Halving<number, Effect> = {
    async apply(records) {
      const refused = refuses(records)
      if (refused !== undefined) throw refused
      done.applied.push(...records)
      return { kind: 'applied', duplicates: 0, effect: { applied: [...records], quarantined: [] } }
    },
    async applyNothing() {
      const refused = refuses([])
      if (refused !== undefined) throw refused
    },
    async quarantineRecord(record) {
      done.quarantined.push(record)
      return { kind: 'applied', duplicates: 0, effect: { applied: [], quarantined: [record] } }
    },
    merge: (a, b) => ({ applied: [...a.applied, ...b.applied], quarantined: [...a.quarantined, ...b.quarantined] }),
  }
  return { halving, done }
}

const sqlError = (code: string) => Object.assign(new Error('no'), { code, severity: 'ERROR' })

test('exactly the records that fail by themselves are quarantined, and the others are applied in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(60), { maxLength: 20 }), fc.nat(60), async (poisons, last) => {
      const records = Array.from({ length: last + 1 }, (_, i) => i)
      const { halving, done } = halvingOf((batch) =>
        batch.some((record) => poisons.includes(record)) ? new TypeError('no') : undefined,
      )

      const outcome = await applyByHalves(records, halving)

      const good = records.filter((record) => !poisons.includes(record))
      const bad = records.filter((record) => poisons.includes(record))
      expect(done).toEqual({ applied: good, quarantined: bad })
      expect(outcome).toEqual({ kind: 'applied', duplicates: 0, effect: done })
    }),
  )
})

test('records that fail together and not alone are all applied', async () => {
  const { halving, done } = halvingOf((batch) =>
    batch.includes(3) && batch.includes(4) ? sqlError('21000') : undefined,
  )

  await applyByHalves([1, 2, 3, 4, 5], halving)

  expect(done).toEqual({ applied: [1, 2, 3, 4, 5], quarantined: [] })
})

test.each([
  ['the server has no room', sqlError('53100')],
  ['the connection is lost', Object.assign(new Error('no'), { code: 'ECONNRESET' })],
  ['the server is shut down', sqlError('57P01')],
])('nothing is quarantined while %s', async (_name, error) => {
  const { halving, done } = halvingOf((batch) => (batch.length > 0 ? error : undefined))

  await expect(applyByHalves([1, 2, 3], halving)).rejects.toBe(error)
  expect(done).toEqual({ applied: [], quarantined: [] })
})

test('a record whose failure passes is applied', async () => {
  let failures = 2
  const { halving, done } = halvingOf((batch) => (batch.length > 0 && failures-- > 0 ? new Error('once') : undefined))

  await applyByHalves([1, 2], halving)

  expect(done).toEqual({ applied: [1, 2], quarantined: [] })
})

test('a record that meets the limit of time by itself is not quarantined', async () => {
  const { halving, done } = halvingOf((batch) => (batch.includes(2) ? sqlError('57014') : undefined))

  await expect(applyByHalves([1, 2], halving)).rejects.toThrow()
  expect(done).toEqual({ applied: [1], quarantined: [] })
})

test('nothing is quarantined where not even a batch without records can be applied', async () => {
  const { halving, done } = halvingOf(() => sqlError('42501'))

  await expect(applyByHalves([1, 2, 3], halving)).rejects.toThrow()
  expect(done).toEqual({ applied: [], quarantined: [] })
})
