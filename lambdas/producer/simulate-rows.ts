import type pg from 'pg'
import { type Clock, paced } from './pace.ts'
import { eventCount, type RowsPayload } from './payload.ts'
import { pickInt, pickOne, pickWeighted, type Random } from './pick.ts'
import { makeTally, type ProducerAnswer } from './tally.ts'

/** One row change as it was committed. */
export type RowChange = { op: 'c' | 'u' | 'd'; before: unknown; after: unknown; ts_ms: number }

type Operation = keyof RowsPayload['weights']

export type SimulateRowsOptions = {
  /** The source, as a role that may write `public.simulated_accounts` and, where it is absent, create it. */
  source: pg.Pool
  clock: Clock
  /** Milliseconds since 1970. */
  now: () => number
  random: Random
}

const holders = ['Aisha', 'Bruno', 'Chiara', 'Dmitri', 'Emeka', 'Freya', 'Goran', 'Hana', 'Ines', 'Jonas']

/** Accounts that updates and deletes choose from, at most. */
const mostKnown = 100_000

const createTable = `
create table if not exists public.simulated_accounts (
  account_id bigint generated always as identity primary key,
  holder text not null,
  balance numeric(12, 2) not null,
  updated_at timestamptz not null default clock_timestamp()
)`

const statements: Record<Operation, string> = {
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

const ops = { create: 'c', update: 'u', delete: 'd' } as const

/**
 * Creates, updates and deletes rows of `public.simulated_accounts`, each change in a transaction of its own, until the
 * payload's count is reached or `signal` aborts. What the table holds is the state: updates and deletes hit rows that
 * exist, whoever made them.
 */
export function makeSimulateRows({ source, clock, now, random }: SimulateRowsOptions) {
  return async (payload: RowsPayload, signal: AbortSignal): Promise<ProducerAnswer> => {
    const changeOne = makeChangeOne(await knownAccounts(source), { ...payload, source, random })
    const tally = makeTally(clock.now)
    const total = eventCount(payload)
    const pace = { total, perSecond: payload.eventsPerSecond, largest: 1, signal }
    for await (const _ of paced(pace, clock)) {
      const change = { ...(await changeOne()), ts_ms: now() }
      tally.add(change.op, change)
    }
    return tally.answer(total)
  }
}

/** Ids of the accounts there are; creates the table where it is absent. */
async function knownAccounts(source: pg.Pool): Promise<string[]> {
  // `if not exists` alone would ask for the right to create even where the table exists.
  const { rows } = await source.query(`select to_regclass('public.simulated_accounts') is not null as exists`)
  if (!rows[0].exists) await source.query(createTable)
  const accounts = await source.query('select account_id from public.simulated_accounts limit $1', [mostKnown])
  return accounts.rows.map((row) => row.account_id)
}

type ChangeOptions = Pick<RowsPayload, 'weights' | 'balance'> & Pick<SimulateRowsOptions, 'source' | 'random'>

function makeChangeOne(known: string[], { source, weights, balance, random }: ChangeOptions) {
  const money = () => (pickInt(balance.min * 100, balance.max * 100, random) / 100).toFixed(2)
  const parameters = {
    create: () => [pickOne(holders, random), money()],
    update: (account: string) => [account, money()],
    delete: (account: string) => [account],
  }
  return async (): Promise<Omit<RowChange, 'ts_ms'>> => {
    for (;;) {
      const operation: Operation = known.length === 0 ? 'create' : pickWeighted(weights, random)
      const index = pickInt(0, known.length - 1, random)
      const { rows } = await source.query(statements[operation], parameters[operation](known[index]!))
      const changed = rows[0]
      if (operation === 'create') known[known.length < mostKnown ? known.length : index] = changed.account_id
      else if (operation === 'delete' || changed === undefined) forget(known, index)
      // Without a changed row somebody else deleted the account: another change takes its place.
      if (changed !== undefined) return { op: ops[operation], before: changed.before, after: changed.after }
    }
  }
}

function forget(known: string[], index: number): void {
  known[index] = known.at(-1)!
  known.pop()
}
