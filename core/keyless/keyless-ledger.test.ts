import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatLsn } from '../lsn.ts'
import type { Beacon } from '../wire/change.ts'
import { KeylessLedger } from './keyless-ledger.ts'

/** The records of a transaction: for each of its Lsns, how many rows share it. */
const transaction = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
const source = fc.array(transaction, { minLength: 1, maxLength: 8 })

type Sent = { readonly txId: number; readonly lsn: number; readonly row: number }

/** The log in commit order. Each transaction's records come after its beacon. */
function logOf(transactions: readonly (readonly number[])[]): Sent[] {
  let row = 0
  return transactions.flatMap((groups, i) =>
    groups.flatMap((size, g) => Array.from({ length: size }, () => ({ txId: 10 + i, lsn: 100 * i + g, row: row++ }))),
  )
}

test('each record is new once, however often capture begins again from the first row of a group', () => {
  fc.assert(
    fc.property(source, fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 5 }), (transactions, restarts) => {
      const log = logOf(transactions)
      const ledger = new KeylessLedger()
      const taken: number[] = []
      let sentUpTo = 0
      let from = 0
      for (const [length, back] of [...restarts, [log.length, 0] as const]) {
        const until = Math.min(from + (length % (log.length + 1)), log.length)
        for (const { txId, lsn, row } of log.slice(from, until)) {
          if (ledger.take(1, txId, lsn) !== undefined) taken.push(row)
        }
        sentUpTo = Math.max(sentUpTo, until)
        ledger.start({ epoch: 1, reads: false })
        from = Math.max(sentUpTo - (back % (sentUpTo + 1)), 0)
        while (from > 0 && log[from]?.lsn === log[from - 1]!.lsn && log[from]?.txId === log[from - 1]!.txId) from--
        from = Math.min(from, sentUpTo)
      }
      for (const { txId, lsn, row } of log.slice(from)) if (ledger.take(1, txId, lsn) !== undefined) taken.push(row)
      expect(taken).toEqual(log.map(({ row }) => row))
    }),
  )
})

const beacon = (number: number, lsn: number, confirmed: number | null): Beacon => ({
  epoch: 1,
  number,
  slot: 0,
  lsn: formatLsn(lsn),
  systemIdentifier: '1',
  topicPartitions: 1,
  emittedAt: '',
  confirmedLsn: confirmed === null ? null : formatLsn(confirmed),
  contractsMissing: false,
})

test('a transaction is forgotten once the slot is confirmed behind the beacon after the one that follows it', () => {
  const ledger = new KeylessLedger()
  ledger.take(1, 10, 100)
  ledger.take(1, 11, 110)
  ledger.beacon(beacon(1, 120, null))
  ledger.beacon(beacon(2, 130, 125))
  expect(ledger.changes()).toMatchObject({ added: [[10, 0]], pruned: [] })

  ledger.beacon(beacon(3, 140, 130))

  expect(ledger.changes()).toMatchObject({ added: [], pruned: [10] })
})

test('goes on from its state as if it had not been put away', () => {
  const ledger = new KeylessLedger()
  ledger.take(1, 10, 100)
  ledger.take(1, 10, 101)
  const { added, state } = ledger.changes()!

  const again = new KeylessLedger({ ...state, passed: added })

  expect(again.take(1, 10, 101)).toEqual({ txId: 10, lsn: 101, ordinal: 1 })
  again.start({ epoch: 1, reads: false })
  expect([again.take(1, 10, 100), again.take(1, 10, 101), again.take(1, 10, 101)]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  expect(again.take(1, 10, 101)).toMatchObject({ ordinal: 2 })
})

test('a blocking snapshot while changes are streamed is not a start of capture', () => {
  const ledger = new KeylessLedger()
  ledger.beacon(beacon(1, 90, null))
  ledger.take(1, 10, 100)
  ledger.start({ epoch: 1, reads: true })
  expect(ledger.take(1, 10, 100)).toMatchObject({ ordinal: 1 })
})

test('a new epoch starts from an empty ledger', () => {
  const ledger = new KeylessLedger()
  ledger.take(1, 10, 100)
  expect(ledger.take(2, 10, 5)).toBeDefined()
})

test('the records of an epoch are here once they came here, whatever other epochs were named, until a newer one is met', () => {
  const ledger = new KeylessLedger()
  for (let named = 900; named < 1_000; named++) ledger.start({ epoch: named, reads: false })
  ledger.start({ epoch: 1, reads: false })
  ledger.meetEpoch(1)
  const again = new KeylessLedger({ ...ledger.state(), passed: [] })
  expect([again.isHere(1), again.isHere(2)]).toEqual([true, false])
  again.meetEpoch(2)
  expect(again.isHere(1)).toBe(false)
})

test('the newest epoch that was met stays, also when the ledger is put away', () => {
  const ledger = new KeylessLedger()
  ledger.meetEpoch(2)
  ledger.meetEpoch(1)

  expect(ledger.changes()).toBeDefined()
  expect(new KeylessLedger({ ...ledger.state(), passed: [] }).newestEpoch).toBe(2)
})
