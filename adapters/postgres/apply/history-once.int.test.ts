import type pg from 'pg'
import { expect, test } from 'vitest'
import { type ExpectedChange, liveThrough, type SourceLife } from '#test-support/changes/source-life.ts'
import { createDatabase } from '#test-support/databases/database.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { type Choice, makeChoice } from '#test-support/histories/choice.ts'
import { makeLatestState } from './latest-state.ts'

const runs = Number(process.env['TIDEMARK_RUNS'] ?? 5)
const first = Number(process.env['TIDEMARK_SEED'] ?? 1)
// The first two seeds have failed once: with a key change that was repeated after its day was dropped, and with an
// update that was repeated after its row was removed.
const seeds = [560_461, 1_007, ...Array.from({ length: runs }, (_, i) => first + i)]
const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }

test.each(seeds)(
  'seed %i: history holds each change once, with the rows before and after it, whatever is delivered again',
  async (seed) => {
    const life = liveThrough(seed, { endMs: 1_700_000_000_000, days: 3 })

    const { shown, rows, stops } = await keepThrough(seed, life, async () => undefined)

    expect(stops).toEqual([])
    expect(rows).toEqual(life.rows)
    expect(shown).toEqual(comparable(life.expected))
  },
)

test.each(seeds)(
  'seed %i: what is left of history when its days end is the same, with the rows before each change',
  async (seed) => {
    const life = liveThrough(seed, { endMs: startOfDay(Date.now()), days: 40 })
    const maintain = async (pool: pg.Pool) => {
      for (let more = true; more; ) more = (await pool.query('select tidemark.maintain() as m')).rows[0].m.more
    }

    const { shown, rows, stops } = await keepThrough(seed, life, maintain)

    const firstDay = startOfDay(Date.now() - 30 * 86_400_000)
    expect(stops).toEqual([])
    expect(rows).toEqual(life.rows)
    expect(shown).toEqual(comparable(life.expected.filter(({ committedAtMs }) => committedAtMs >= firstDay)))
  },
)

/**
 * Delivers a life in batches of any size, repeats some of them, ends sessions meanwhile, and then reads the history.
 */
async function keepThrough(seed: number, { log: { records } }: SourceLife, maintain: (pool: pg.Pool) => Promise<void>) {
  const target = await createDatabase('target')
  const victims = lastingPool({ ...target.pool.options, application_name: 'victim' })
  try {
    const choice = makeChoice(seed + 1)
    const environments = [makeLatestState(victims), makeLatestState(victims)] as const
    for (let from = 0; from < records.length; ) {
      const end = from + 1 + choice.below(30)
      const deliveries = [environments[choice.below(2)]!.apply(key, records.slice(from, end))]
      if (choice.chance(15)) deliveries.push(environments[1].apply(key, records.slice(Math.max(from - 10, 0), end)))
      if (choice.chance(20)) await endSessions(target.pool, choice)
      if ((await Promise.allSettled(deliveries))[0]!.status === 'fulfilled') from = end
      if (choice.chance(15)) await maintain(target.pool)
    }
    await maintain(target.pool)
    const query = async (text: string) => (await target.pool.query(text)).rows
    const shown = await query(`select op, key -> 'id' as id, (lsn - '0/0')::int as lsn, before, after,
      (extract(epoch from committed_at) * 1000)::float8 as "committedAtMs" from tidemark.change_log`)
    const rows = await query('select * from public.orders order by id')
    return {
      shown: comparable(shown),
      rows: rows.map((row) => ({
        ...row,
        id: Number(row.id),
        amount: row.amount === null ? null : Number(row.amount),
      })),
      stops: await query('select reason from tidemark.stopped_table union all select reason from tidemark.stop'),
    }
  } finally {
    await victims.end()
    await target.drop()
  }
}

const startOfDay = (ms: number): number => Math.floor(ms / 86_400_000) * 86_400_000

const comparable = (changes: readonly ExpectedChange[]): string[] =>
  changes
    .map(({ lsn, op, id, committedAtMs, before, after }) =>
      JSON.stringify([lsn, op, id, committedAtMs, before && sorted(before), after && sorted(after)]),
    )
    .sort()

const sorted = (row: object) => Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))

async function endSessions(nemesis: pg.Pool, { below }: Choice): Promise<void> {
  for (let turn = below(4); turn > 0; turn--) await nemesis.query('select 1')
  await nemesis.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'victim' and state <> 'idle'`,
  )
}
