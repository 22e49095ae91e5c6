import type pg from 'pg'

export type AccountOperation = 'create' | 'update' | 'delete'

/** An account that was changed, with its row before and after. */
export type ChangedAccount = { readonly account_id: string; readonly before: unknown; readonly after: unknown }

const createTable = `
create table if not exists public.simulated_accounts (
  account_id bigint generated always as identity primary key,
  holder text not null,
  balance numeric(12, 2) not null,
  updated_at timestamptz not null default clock_timestamp()
)`

const statements: Record<AccountOperation, string> = {
  create: `
    insert into public.simulated_accounts as account (holder, balance)
    values ($1, $2)
    returning account_id, null as before, to_json(account) as after`,
  update: `
    with old as (
      select *
      from public.simulated_accounts
      where account_id = $1
      for update
    )
    update public.simulated_accounts as account
    set balance = $2, updated_at = clock_timestamp()
    from old
    where account.account_id = old.account_id
    returning account.account_id, to_json(old) as before, to_json(account) as after`,
  delete: `
    delete from public.simulated_accounts as account
    where account_id = $1
    returning account_id, to_json(account) as before, null as after`,
}

/** The ids of at most `most` accounts. Creates the table if it does not exist. */
export async function knownAccounts(source: pg.Pool, most: number): Promise<string[]> {
  // `create table if not exists` alone would need the right to create, even if the table exists.
  const { rows } = await source.query(`select to_regclass('public.simulated_accounts') is not null as exists`)
  if (!rows[0].exists) await source.query(createTable)
  const accounts = await source.query('select account_id from public.simulated_accounts limit $1', [most])
  return accounts.rows.map((row) => row.account_id)
}

/** Changes an account. Undefined if the account is gone. */
export async function changeAccount(
  source: pg.Pool,
  operation: AccountOperation,
  parameters: readonly unknown[],
): Promise<ChangedAccount | undefined> {
  const { rows } = await source.query<ChangedAccount>(statements[operation], [...parameters])
  return rows[0]
}
