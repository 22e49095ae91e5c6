// What do the actions on tables and on the quarantine do, and what is said before they are confirmed?

import { commandWord } from '#core/console/command-word.ts'
import type { ActionExecutor, ActionPlan } from './routes/actions.ts'

/** What these actions ask of the databases. */
export type TableActionPorts = {
  readonly readStopped: (
    table: string,
  ) => Promise<{ readonly reason: string; readonly repair: 'accept' | 'resync'; readonly records: number } | undefined>
  /** How many records a place, a table or `all` names, and how many of them are part of rows. */
  readonly countKept: (what: string) => Promise<{ readonly records: number; readonly owed: number }>
  /** How far the capture of a table is; undefined if the source does not capture it. */
  readonly readCaptured: (
    table: string,
  ) => Promise<{ readonly state: string; readonly reason: string | null } | undefined>
  readonly beginResync: (table: string) => Promise<readonly string[]>
  /** Invokes the function that begins the snapshot, which would otherwise run within a minute. */
  readonly startCapture: () => Promise<unknown>
  /** Has the target execute a recorded action of its own. */
  readonly executeInTarget: (id: string) => Promise<string>
  /** Has what was retried or accepted applied, which would otherwise be within a minute. */
  readonly startApply: () => Promise<unknown>
}

type TableActions = Readonly<
  Record<'table.resync' | 'table.accept' | 'quarantine.retry' | 'quarantine.discard', ActionExecutor>
>

const records = (count: number): string => `${count} ${count === 1 ? 'record' : 'records'}`
const plan = (will: readonly string[], command: string, needsReason = false): ActionPlan => ({
  kind: 'plan',
  will,
  command,
  needsReason,
})
const refused = (why: string, hint: string | null = null): ActionPlan => ({ kind: 'refused', why, hint })

/** The actions on tables and on the quarantine. */
export function makeTableActions(ports: TableActionPorts): TableActions {
  const inTarget = async (id: string): Promise<string> => {
    const done = await ports.executeInTarget(id)
    await ports.startApply()
    return done
  }
  return {
    'table.resync': { plan: ({ target }) => planResync(ports, target), execute: ({ target }) => resync(ports, target) },
    'table.accept': { plan: ({ target }) => planAccept(ports, target), execute: ({ id }) => inTarget(id) },
    'quarantine.retry': { plan: ({ target }) => planRetry(ports, target), execute: ({ id }) => inTarget(id) },
    'quarantine.discard': {
      plan: ({ target }) => planDiscard(ports, target),
      execute: ({ id }) => ports.executeInTarget(id),
    },
  }
}

async function planResync({ readCaptured, readStopped }: TableActionPorts, table: string): Promise<ActionPlan> {
  const captured = await readCaptured(table)
  if (captured !== undefined && captured.state !== 'captured') {
    const why = captured.reason ?? `it is being captured already (${captured.state})`
    return refused(`${table} cannot be read again: ${why}`)
  }
  const stopped = await readStopped(table)
  return plan(
    [
      `All rows of ${table} are read again from the source, as a new generation. Of a partitioned table each partition is.`,
      'The target shows the present rows until the new ones are complete.',
      ...(stopped === undefined
        ? []
        : [`Its ${records(stopped.records)} in quarantine are deleted: the new rows have them.`]),
      'Other tables go on.',
    ],
    `npm run resync -- ${commandWord(table)}`,
  )
}

async function resync({ beginResync, startCapture }: TableActionPorts, table: string): Promise<string> {
  const names = await beginResync(table)
  await startCapture()
  return `${names.join(', ')}: the rows are read again`
}

async function planAccept({ readStopped }: TableActionPorts, table: string): Promise<ActionPlan> {
  const stopped = await readStopped(table)
  if (stopped === undefined) return refused(`${table} is not stopped`)
  if (stopped.repair === 'resync') {
    return refused(`${table} has to be read again: ${stopped.reason}`, `npm run resync -- ${commandWord(table)}`)
  }
  return plan(
    [
      `${records(stopped.records)} of ${table} in quarantine are applied in their order, and then the later changes.`,
      `If the cause is still there, the table stops again: ${stopped.reason}`,
    ],
    `npm run accept -- ${commandWord(table)}`,
  )
}

async function planRetry({ countKept }: TableActionPorts, what: string): Promise<ActionPlan> {
  const kept = await countKept(what)
  if (kept.records === 0) return refused(`no record in quarantine matches ${what}`)
  return plan(
    [
      `${records(kept.records)} in quarantine ${kept.records === 1 ? 'is' : 'are'} looked at: user events are applied again one by one,`,
      'and changes of a stopped table all together and in their order.',
      'A record that fails again goes back into quarantine.',
    ],
    `npm run quarantine -- retry ${commandWord(what)}`,
  )
}

async function planDiscard({ countKept }: TableActionPorts, what: string): Promise<ActionPlan> {
  const { records: count, owed } = await countKept(what)
  if (count === 0) return refused(`no record in quarantine matches ${what}`)
  if (owed > 0 && (what !== 'all' || owed === count)) {
    return refused(
      `${records(owed)} of ${what} cannot be discarded: the rows of a captured table would lack them`,
      'A resync reads the rows again and then deletes them.',
    )
  }
  return plan(
    [
      `${records(count - owed)} in quarantine ${count - owed === 1 ? 'is' : 'are'} deleted, and cannot be brought back from here.`,
      ...(owed === 0
        ? []
        : [`${records(owed)} of captured tables ${owed === 1 ? 'stays' : 'stay'}: their rows would lack them.`]),
      'The topic and the archive still have what they have of them.',
    ],
    `npm run quarantine -- discard ${commandWord(what)}`,
    true,
  )
}
