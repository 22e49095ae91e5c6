import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { expect, onTestFinished, test } from 'vitest'
import { createDatabase } from '#test-support/databases/database.ts'
import { connectTo } from '../measured-stack.ts'
import { checksums, fill } from './fill.ts'
import { allChanges, createTables, hasArrived, type Workload } from './workload.ts'
import { workloads } from './workloads.ts'

// The number is small, and no multiple of anything by which a workload divides.
const ROWS = 250

test.for(workloads.map((workload) => [workload.name, workload] as const))(
  '%s makes as many changes as it says, whose last ones are seen, and ends in the same state again',
  async ([, workload]) => {
    const [one, other] = [await emptyClient(), await emptyClient()]
    const tables = workload.tables('t')
    for (const client of [one, other]) await client.query(createTables(tables))
    const arrived = async () => (await other.query<{ arrived: boolean }>(hasArrived(tables))).rows[0]!.arrived
    const arrivedBefore = await arrived()

    const changes = await countChanges(one, workload)
    await fill(other, { workload, prefix: 't', rows: ROWS }, () => undefined)

    expect(changes).toBe(workload.changes(ROWS))
    expect([arrivedBefore, await arrived()]).toEqual([false, true])
    await one.query(`set timezone = 'Asia/Kathmandu'`)
    for (const table of tables) {
      const withoutLast = `${table.key} >= 0`
      expect(await checksums(one, [table], withoutLast)).toEqual(await checksums(other, [table], withoutLast))
    }
    expect(allChanges(workload, ROWS)).toBe(changes + 32 * tables.length)
  },
)

async function emptyClient(): Promise<pg.Client> {
  const database = await createDatabase('empty')
  const client = await connectTo(database.url)
  onTestFinished(async () => {
    await client.end()
    await database.drop()
  })
  return client
}

/** Runs the transactions of a workload, and counts rows as Postgres does. */
async function countChanges(client: pg.Client, workload: Workload): Promise<number> {
  let changes = 0
  for await (const transaction of workload.transactions('t', ROWS)) {
    if (typeof transaction === 'string') {
      const results = [await client.query(transaction)].flat()
      for (const { rowCount } of results) changes += rowCount ?? 0
      continue
    }
    const { copyInto, columns, lines } = transaction
    const copy = client.query(copyFrom(`copy public.${copyInto} (${columns.join(', ')}) from stdin`))
    await pipeline([lines.join('')], copy)
    changes += copy.rowCount ?? 0
  }
  return changes
}
