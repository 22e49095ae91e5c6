import type { ClientBase, DatabaseError } from 'pg'

/** SQLSTATE lock_not_available: DDL of somebody else on the table is open. */
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Publishes the pending tables while no connector listens: its initial snapshot will read them. A table that is locked
 * stays pending for capture-tables. Throws an Error that names the table when one fails.
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
