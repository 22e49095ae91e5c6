import { expect, test } from 'vitest'
import type { KnownTable } from '#adapters/iceberg/archive/known-table.ts'
import { makeTableLocation } from './table-location.ts'

const uuid = 'a4b2'
const known = (changes: Partial<KnownTable> = {}): KnownTable => ({
  table: { name: 'tidemark_test.changes', uuid, location: 's3://bucket/changes' },
  commits: [{ number: 7, snapshotId: 1n, made: true }],
  problem: undefined,
  renewal: undefined,
  database: 'started at noon',
  ...changes,
})

/** How often two events ask the catalog when the ledger changes between them. */
async function asks(changes: Partial<KnownTable>): Promise<number> {
  let asked = 0
  let ledger = known()
  const location = makeTableLocation({ readKnownTable: async () => ledger }, async () => {
    asked++
    return { metadata: { 'table-uuid': uuid, location: 's3://bucket/changes' } as never, metadataLocation: '' }
  })

  await location()
  ledger = known(changes)
  await location()
  return asked
}

test('a process asks the catalog once', async () => {
  expect(await asks({})).toBe(1)
  expect(await asks({ commits: [{ number: 9, snapshotId: 2n, made: false }] })).toBe(1)
})

test.each<[string, Partial<KnownTable>]>([
  ['says that something is wrong', { problem: 'the archive table is not in the catalog' }],
  ['belongs to another table', { table: { name: 'tidemark_test.changes', uuid: 'c5', location: null } }],
  ['has it at another place', { table: { name: 'tidemark_test.changes', uuid, location: 's3://bucket/moved' } }],
  ['has fewer commits', { commits: [{ number: 6, snapshotId: 1n, made: true }] }],
  ['is in a database that was restarted', { database: 'started at one' }],
])('it asks again when the ledger %s', async (_, changes) => {
  expect(await asks(changes)).toBe(2)
})

test.each([
  [false, 'npm run archive -- recover'],
  [true, 'npm run recover'],
])(
  'while the archive begins again with a new table there is no place to write to (its ledger is new: %s)',
  async (isLedgerNew, command) => {
    const renewal = { formerName: 'changes_until_20261129140500', isLedgerNew }
    const location = makeTableLocation({ readKnownTable: async () => known({ renewal }) }, async () => {
      throw new Error('the catalog was asked')
    })

    await expect(location()).rejects.toThrow(command)
  },
)
