import { createHash } from 'node:crypto'
import type { ClientBase } from 'pg'

/**
 * The numbered files that made tables and functions before these had files of their own, by the digest of their checksums,
 * with the files of `tables/` that make the same tables.
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
 * Forgets the numbered files of a database that they installed, and returns the files of `tables/` that make the tables it has:
 * these must not run, and the functions are made again. Of another database it returns none and changes nothing.
 * Throws an Error when the numbered files are not the last ones, since the tables may then be others.
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
  // finish.sql does the work of the function.
  await client.query('drop table tidemark.migration; drop function tidemark.fix_settings()')
  return made
}

async function numberedDigest(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ sha256: string }>('select sha256 from tidemark.migration order by number')
  return createHash('sha256')
    .update(rows.map(({ sha256 }) => sha256).join(''))
    .digest('hex')
}
