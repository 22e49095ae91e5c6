import fc from 'fast-check'
import type pg from 'pg'
import { type LatestStateEffect, makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import type { ApplyOutcome } from '#adapters/postgres/delivery/apply-transaction.ts'
import { endOneSession } from '#test-support/databases/end-session.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { ChangeLog, ordersContract } from './change-log.ts'

/** Topic partitions of a fault run. Each has its own log, because keys are spread over them. */
const topicPartitions = 3

type Change = { id: number; op: 'create' | 'update' | 'delete'; name: string; lsn: number; before: string | null }
type Fault = 'none' | 'repeat' | 'zombie' | 'terminate'

/** The source that a seed makes, and the way in which its changes are delivered. */
const history = fc.record({
  steps: fc.array(
    fc.record({ id: fc.integer({ min: 1, max: 12 }), remove: fc.boolean(), name: fc.string({ maxLength: 4 }) }),
    {
      minLength: 20,
      maxLength: 120,
    },
  ),
  /** How far changes move behind those of other rows, as when an earlier transaction commits later. */
  delays: fc.array(fc.nat(6), { minLength: 120, maxLength: 120 }),
  /**
   * Where changes come again, from how far back, and how many. That happens after a restart of capture, and when a
   * worker sends that should have ended.
   */
  again: fc.array(fc.tuple(fc.nat(60), fc.nat(40), fc.nat(40)), { maxLength: 4 }),
  batches: fc.array(
    fc.tuple(fc.integer({ min: 1, max: 25 }), fc.constantFrom<Fault>('none', 'repeat', 'zombie', 'terminate')),
    {
      minLength: 5,
      maxLength: 20,
    },
  ),
})
type History = typeof history extends fc.Arbitrary<infer T> ? T : never

/** The result of a fault run. */
export type FaultRunResult = {
  readonly source: unknown[]
  readonly target: unknown[]
  /** What history must show, and what it shows. */
  readonly changesOfSource: unknown[]
  readonly history: unknown[]
  readonly quarantined: number
  /**
   * The number of changes on the logs, and how many the deliveries reported as applied. If that is more, one was
   * applied twice.
   */
  readonly changes: number
  readonly applied: number
}

/**
 * Delivers a random history to latest-state tables under faults: capture delivers again after restarts, the mapping
 * delivers again after lost answers, zombie invocations bring old batches, and the server ends sessions. The seed
 * decides everything but the timing, so the same seed repeats the same history.
 */
export async function runUnderFaults(seed: number, target: pg.Pool): Promise<FaultRunResult> {
  const [made] = fc.sample(history, { seed, numRuns: 1 }) as [History]
  const { changes, rows } = sourceOf(made)
  const logs = Array.from({ length: topicPartitions }, (_, slot) => logOf(changes, slot, made))
  // The victims have sessions of their own. A signal may arrive late, when its session is doing something else, such as
  // reading the result.
  const victims = lastingPool({ ...target.options, application_name: 'victim' })
  const delivered = await Promise.allSettled(
    logs.map((log, topicPartition) => deliver(victims, target, topicPartition, log, made.batches)),
  )
  await victims.end()
  let applied = 0
  for (const one of delivered) {
    if (one.status === 'rejected') throw one.reason
    applied += one.value
  }
  const stored = await target.query('select id::int, name from public.orders order by id')
  const quarantined = await target.query('select from tidemark.quarantine')
  const shown = await target.query(
    `select (lsn - '0/0')::int as lsn, op, (key -> 'id')::int as id, before ->> 'name' as before, after ->> 'name' as after
     from tidemark.change_log order by lsn`,
  )
  return {
    source: rows,
    target: stored.rows,
    changesOfSource: changes.map(({ lsn, op, id, before, name }) => {
      const after = op === 'delete' ? null : name
      return { lsn, op: op === 'create' ? 'insert' : op, id, before, after }
    }),
    history: shown.rows,
    quarantined: quarantined.rowCount ?? 0,
    changes: logs.reduce((sum, log) => sum + log.records.length - 1, 0),
    applied,
  }
}

function sourceOf({ steps }: History): { changes: Change[]; rows: { id: number; name: string }[] } {
  const rows = new Map<number, string>()
  const changes = steps.map(({ id, remove, name }, i): Change => {
    const op = remove && rows.has(id) ? 'delete' : rows.has(id) ? 'update' : 'create'
    const before = rows.get(id) ?? null
    if (op === 'delete') rows.delete(id)
    else rows.set(id, name)
    return { id, op, name, lsn: 1000 + i, before }
  })
  return { changes, rows: [...rows].map(([id, name]) => ({ id, name })).sort((a, b) => a.id - b.id) }
}

/**
 * The log of one topic partition: the changes of its rows in commit order, and what capture sends again after a
 * restart.
 */
function logOf(changes: readonly Change[], slot: number, { delays, again }: History): ChangeLog {
  const own = inCommitOrder(
    changes.filter(({ id }) => id % topicPartitions === slot),
    delays,
  )
  const sent = [...own]
  for (const [at, back, length] of again) {
    const end = Math.min(at, sent.length)
    const start = Math.max(end - back, 0)
    sent.splice(end, 0, ...sent.slice(start, Math.min(start + length, end)))
  }
  const log = new ChangeLog(slot).contract(ordersContract())
  for (const { id, op, name, lsn } of sent) log[op]({ id, name, amount: null } as never, { lsn })
  return log
}

/** Moves changes behind changes of other rows. Those of one row keep their order. */
function inCommitOrder(changes: readonly Change[], delays: readonly number[]): Change[] {
  const moved = [...changes]
  delays.slice(0, changes.length).forEach((delay, i) => {
    for (let at = i; at < Math.min(i + delay, moved.length - 1); at++) {
      if (moved[at]!.id === moved[at + 1]!.id) break
      moved.splice(at, 2, moved[at + 1]!, moved[at]!)
    }
  })
  return moved
}

async function deliver(
  victims: pg.Pool,
  nemesis: pg.Pool,
  topicPartition: number,
  log: ChangeLog,
  batches: History['batches'],
): Promise<number> {
  const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition }
  const environments = [makeLatestState(victims), makeLatestState(victims)]
  const running: Promise<ApplyOutcome<LatestStateEffect> | undefined>[] = []
  let from = 0
  let applied = 0
  for (let turn = 0; from < log.records.length; turn++) {
    const [size, fault] = batches[turn % batches.length]!
    const records = log.records.slice(from, from + size)
    if (fault === 'zombie')
      running.push(environments[1]!.apply(key, log.records.slice(Math.max(from - size, 0), from + size)))
    if (fault === 'terminate') running.push(endOneSession(nemesis))
    running.push(environments[turn % 2]!.apply(key, records))
    if (fault === 'repeat') running.push(environments[0]!.apply(key, records))
    for (const settled of await Promise.allSettled(running.splice(0))) {
      if (settled.status === 'rejected') throw settled.reason
      if (settled.value?.kind === 'applied') applied += settled.value.effect.changes
    }
    from += size
  }
  return applied
}
