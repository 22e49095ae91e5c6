import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { checksumOf, lastTransaction, type Workload, type WorkloadTable } from './workload.ts'

/**
 * Runs the transactions of a workload in a database, without waiting for the disk. `onTransaction` gets their number so
 * far.
 */
export async function fill(
  client: pg.Client,
  { workload, prefix, rows }: { workload: Workload; prefix: string; rows: number },
  onTransaction: (count: number) => void,
): Promise<void> {
  await client.query('set synchronous_commit = off')
  let count = 0
  for await (const transaction of workload.transactions(prefix, rows)) {
    if (typeof transaction === 'string') await client.query(transaction)
    else {
      const { copyInto, columns, lines } = transaction
      await pipeline(
        [lines.join('')],
        client.query(copyFrom(`copy public.${copyInto} (${columns.join(', ')}) from stdin`)),
      )
    }
    onTransaction(++count)
  }
  // The last transaction waits for the disk, and with it for all before.
  await client.query('reset synchronous_commit')
  await client.query(lastTransaction(workload.tables(prefix)))
}

/**
 * A checksum of the rows of each table, or of those that satisfy a condition, in the order of the tables. Equal rows
 * have equal checksums.
 */
export async function checksums(
  client: pg.Client,
  tables: readonly WorkloadTable[],
  condition?: string,
): Promise<string[]> {
  const found: string[] = []
  // The text of a time contains the time zone, which must not be that of the session.
  await client.query(`set timezone = 'UTC'`)
  for (const table of tables) {
    found.push((await client.query<{ checksum: string }>(checksumOf(table, condition))).rows[0]!.checksum)
  }
  return found
}
