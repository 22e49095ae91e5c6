import type { ClientBase, DatabaseError } from 'pg'

/** SQLSTATE lock_not_available: another session has open DDL on the table. */
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Publishes the pending tables while no connector listens, so that its initial snapshot reads them. A table that is
 * locked stays pending until capture-tables publishes it. Throws an Error that names the table if one fails.
 */
export async function publishForInitialSnapshot(client: ClientBase): Promise<void> {
  const pending = await client.query(`
    select relation, schema_name || '.' || table_name as name
    from tidemark.captured_table
    where state = 'pending'
      and not tidemark.is_listening()`)
  for (const { relation, name } of pending.rows) {
    try {
      await client.query('select tidemark.publish_table($1)', [relation])
    } catch (error) {
      if ((error as DatabaseError).code !== LOCK_NOT_AVAILABLE) {
        throw new Error(`${name} could not be published: ${(error as Error).message}`, { cause: error })
      }
    }
  }
}
