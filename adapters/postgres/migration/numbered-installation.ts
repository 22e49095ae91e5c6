import { createHash } from 'node:crypto'
import type { ClientBase } from 'pg'

/**
 * The numbered files of former versions, which created both tables and functions, by the digest of their checksums, and
 * the files of `tables/` that create the same tables.
 */
const TABLES_OF: Readonly<Record<string, readonly string[]>> = {
  // The source.
  d24942bd2fbc64e1073184dcdda895f4bb67d1f59452c568806507f345354fdb: [
    'tables/001-roles.sql',
    'tables/002-control-tables.sql',
  ],
  // The target.
  '3df21d297214dfe848444df22ac2594f7015d33ec6491eab2e146f14d8db77cf': [
    'tables/001-roles.sql',
    'tables/002-progress.sql',
    'tables/003-latest-state.sql',
    'tables/004-user-events.sql',
    'tables/005-history.sql',
    'tables/006-archive.sql',
  ],
}

/**
 * For a database that was installed by numbered files: deletes their records, and returns the files of `tables/` that
 * create its tables. These must not run, and the functions are created again. For any other database, returns none and
 * changes nothing. Throws an Error if the numbered files are not the last ones, because the tables may then differ.
 */
export async function endNumberedInstallation(client: ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ numbered: boolean }>(
    `select exists (
       select
       from pg_attribute
       where attrelid = to_regclass('tidemark.migration')
         and attname = 'number'
     ) as numbered`,
  )
  if (!rows[0]!.numbered) return []
  const made = TABLES_OF[await numberedDigest(client)]
  if (made === undefined) {
    throw new Error(
      'the database was installed by numbered migrations other than the last ones, so its tables may differ: ' +
        'remove its schema tidemark, in the target also tidemark_rows, and deploy again',
    )
  }
  // finish.sql does what the function did.
  await client.query('drop table tidemark.migration; drop function tidemark.fix_settings()')
  return made
}

async function numberedDigest(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ sha256: string }>('select sha256 from tidemark.migration order by number')
  return createHash('sha256')
    .update(rows.map(({ sha256 }) => sha256).join(''))
    .digest('hex')
}
