import type { ClientBase, DatabaseError } from 'pg'

/** SQLSTATE dependent_objects_still_exist: another database of the server uses the role. */
const STILL_USED = '2BP01'

const roles = ['tidemark_capture', 'tidemark_producer', 'tidemark_console_act', 'tidemark_console_read']

/**
 * Removes what was installed in the source: event triggers, publication, schema tidemark and roles. Tables of the
 * producer stay, owned by the administrator. A role that another database still uses stays too.
 */
export async function removeSource(client: ClientBase): Promise<void> {
  // The event triggers are dropped first, because they would fire for the drops that follow.
  await client.query(`
    drop event trigger if exists tidemark_ddl_command_end;
    drop event trigger if exists tidemark_sql_drop;
    drop event trigger if exists tidemark_table_rewrite;
    drop publication if exists tidemark;
    drop schema if exists tidemark cascade`)
  for (const role of roles) await removeRole(client, role)
}

async function removeRole(client: ClientBase, role: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
  if (rowCount === 0) return
  // Only a member of a role may reassign what the role owns.
  await client.query(`
    do $$
    begin
      if not pg_has_role(current_user, '${role}', 'usage') then
        execute format('grant ${role} to %I', current_user);
      end if;
    end
    $$;
    reassign owned by ${role} to current_user;
    drop owned by ${role}`)
  try {
    await client.query(`drop role ${role}`)
  } catch (error) {
    if ((error as DatabaseError).code !== STILL_USED) throw error
  }
}
