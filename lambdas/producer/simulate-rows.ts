import type pg from 'pg'
import {
  type AccountOperation,
  changeAccount,
  knownAccounts,
} from '#adapters/postgres/simulation/simulated-accounts.ts'
import { type Clock, paced } from './pace.ts'
import { eventCount, type RowsPayload } from './payload.ts'
import { pickInt, pickOne, pickWeighted, type Random } from './pick.ts'
import { makeTally, type ProducerAnswer } from './tally.ts'

/** One row change as it was committed. */
export type RowChange = { op: 'c' | 'u' | 'd'; before: unknown; after: unknown; ts_ms: number }

export type SimulateRowsOptions = {
  /** The source, with a role that may write `public.simulated_accounts`, and may create it when it does not exist. */
  source: pg.Pool
  clock: Clock
  /** Milliseconds since 1970. */
  now: () => number
  random: Random
}

const holders = ['Aisha', 'Bruno', 'Chiara', 'Dmitri', 'Emeka', 'Freya', 'Goran', 'Hana', 'Ines', 'Jonas']

/** The most accounts that updates and deletes choose from. */
const mostKnown = 100_000

const ops = { create: 'c', update: 'u', delete: 'd' } as const

/**
 * Creates, updates and deletes rows of `public.simulated_accounts`, each in its own transaction, until the payload's
 * count is reached or `signal` aborts. The table is the only state: updates and deletes change any rows that exist in
 * it, also those of other runs.
 */
export function makeSimulateRows({ source, clock, now, random }: SimulateRowsOptions) {
  return async (payload: RowsPayload, signal: AbortSignal): Promise<ProducerAnswer> => {
    const changeOne = makeChangeOne(await knownAccounts(source, mostKnown), { ...payload, source, random })
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
      const operation: AccountOperation = known.length === 0 ? 'create' : pickWeighted(weights, random)
      const index = pickInt(0, known.length - 1, random)
      const changed = await changeAccount(source, operation, parameters[operation](known[index]!))
      if (operation === 'create') known[known.length < mostKnown ? known.length : index] = changed!.account_id
      else if (operation === 'delete' || changed === undefined) forget(known, index)
      // When no row was changed, another session has deleted the account, so another change takes its place.
      if (changed !== undefined) return { op: ops[operation], before: changed.before, after: changed.after }
    }
  }
}

function forget(known: string[], index: number): void {
  known[index] = known.at(-1)!
  known.pop()
}
