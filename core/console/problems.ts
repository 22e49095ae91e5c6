import { type Component, isWell } from '../status/components.ts'
import type { Status } from '../status/status.ts'
import { nameOf } from '../status/stopped-parts.ts'
import type { ShownProblem, Snapshot } from './overview.ts'
import { pathOf } from './paths.ts'

/** Every problem of a status, the most severe first; those of one severity in the order in which they are resolved. */
export function problemsOf(status: Status, slot: Snapshot['slot'] = null): ShownProblem[] {
  const { capture, archiveProblems, stopped } = status
  const isDown = capture.state === 'down'
  const problems = [
    ...(isDown ? [ofCapture(capture)] : []),
    ...ofSlot(slot, status),
    ...archiveProblems.map(ofArchive),
    ...status.components
      // If capture is down, that problem includes the state of the connector.
      .filter((component) => !isWell(component) && !(isDown && component.name === CONNECTOR))
      .map(ofComponent),
    // What is stopped by a problem of the archive is shown only once, as that problem.
    ...stopped.filter(({ reason }) => !archiveProblems.some((each) => reason.startsWith(each.reason))).map(ofStopped),
    ...status.notCaptured.map(ofNotCaptured),
    ...status.missing.map(ofMissing),
    ...status.windows.filter(({ state }) => state === 'stopped').map(ofWindows),
    ...status.windows.filter(({ publishing }) => publishing !== null).map(ofPublishing),
    ...status.quarantined.map(ofQuarantined),
    ...status.uncaptured.map(ofUncaptured),
    ...status.emptyViews.map(ofEmptyView),
    ...status.indexProblems.map(ofIndex),
  ]
  return problems.toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity))
}

const severities: readonly ShownProblem['severity'][] = ['stopped', 'failing', 'attention']

const CONNECTOR = 'connector'

/** What a problem has unless it says otherwise. */
const nothingToDo = { since: null, command: null, sql: null, action: null, path: null } as const

const ofCapture = ({ cause, follows, command, since }: Status['capture']): ShownProblem => ({
  ...nothingToDo,
  severity: 'stopped',
  what: 'capture',
  why: cause ?? 'capture is down for a reason that is not known',
  follows: follows ?? 'Changes of the source do not come. What has come is still applied and can be read.',
  since,
  command,
  action: command === null ? null : { name: 'capture.recover', target: 'all' },
  path: pathOf.connectors,
})

/** The parts of the limit at which the problem is shown with another figure, so that a snapshot seldom changes by it. */
const slotSteps = [95, 90, 85, 80]

/** The slot retains almost as much WAL as the source allows. */
function ofSlot(slot: Snapshot['slot'], { capture }: Status): ShownProblem[] {
  if (slot?.limitBytes == null) return []
  const { retainedBytes, limitBytes } = slot
  const percent = slotSteps.find((step) => retainedBytes * 100 >= limitBytes * step)
  if (percent === undefined) return []
  const isDown = capture.state === 'down'
  return [
    {
      ...nothingToDo,
      severity: 'attention',
      what: 'replication slot',
      why: `it retains more than ${percent} % of the WAL at which the source gives it up (max_slot_wal_keep_size, ${mebibytesOf(limitBytes)} MB)`,
      follows:
        'At the limit the source invalidates the slot: capture ends, and a recovery has to read every table again. The command shows what capture waits for, and a greater limit gives it time.',
      command: isDown ? (capture.command ?? STATUS_COMMAND) : STATUS_COMMAND,
      sql: `alter system set max_slot_wal_keep_size = '${2 * mebibytesOf(limitBytes)}MB'; select pg_reload_conf();`,
      action: isDown && capture.command !== null ? { name: 'capture.recover', target: 'all' } : null,
      path: pathOf.connectors,
    },
  ]
}

const STATUS_COMMAND = 'npm run status'
const mebibytesOf = (bytes: number): number => Math.round(bytes / 2 ** 20)

const ofArchive = ({ kind, reason, command, since }: Status['archiveProblems'][number]): ShownProblem => ({
  ...nothingToDo,
  ...(kind === 'data files'
    ? { severity: 'failing', follows: 'Queries of the archive that need these files fail. New records are archived.' }
    : { severity: 'stopped', follows: 'Records are kept and not committed to the archive. Tables go on.' }),
  what: 'archive',
  why: reason,
  since,
  command,
  path: pathOf.archive,
})

function ofComponent(component: Component): ShownProblem {
  const { kind, name, state, lastError, failingSince } = component
  return {
    ...nothingToDo,
    severity: state === 'stopped' ? 'stopped' : state === 'failing' ? 'failing' : 'attention',
    what: kind === 'server' ? name : `${kind} ${name}`,
    why: lastError ?? `it is ${state}`,
    follows: followsOf(component),
    since: failingSince ?? null,
    path: name === CONNECTOR ? pathOf.connectors : kind === 'server' ? null : pathOf.consumers,
  }
}

/** What happens while a component does not work. */
function followsOf({ kind, state }: Component): string {
  if (state === 'starting') return 'What needs it waits until it has started.'
  if (kind === 'function') return 'What it failed at is tried again. Records wait in their topic, and none is lost.'
  if (kind === 'mapping') return 'Records of this topic wait in Kafka and are delivered later, in their order.'
  return 'What needs it waits, and goes on by itself when it answers again.'
}

function ofStopped(part: Status['stopped'][number]): ShownProblem {
  const { reason, since, command } = part
  const common = { ...nothingToDo, severity: 'stopped', what: nameOf(part), why: reason, since, command } as const
  if (part.kind === 'topic partition') {
    return {
      ...common,
      follows: `Further records of this topic partition wait for ${part.consumer}, which has tried ${part.deliveries} times. Other topic partitions go on.`,
      action: actionOfStop(command),
      path: pathOf.consumers,
    }
  }
  return {
    ...common,
    follows: `Its rows stay as they are, and ${part.keptRecords} of its records are in quarantine, to which further ones are added. Other tables go on.`,
    action: actionOfTable(command, part.table),
    path: pathOf.table(part.table),
  }
}

type Action = ShownProblem['action']

const actionOfStop = (command: string | null): Action => {
  if (command === 'npm run recover') return { name: 'capture.recover', target: 'all' }
  return command?.startsWith('npm run quarantine -- discard') ? { name: 'quarantine.discard', target: 'all' } : null
}

function actionOfTable(command: string | null, target: string): Action {
  if (command?.startsWith('npm run resync')) return { name: 'table.resync', target }
  if (command?.startsWith('npm run accept')) return { name: 'table.accept', target }
  return command?.startsWith('npm run quarantine -- discard') ? { name: 'quarantine.discard', target } : null
}

const ofNotCaptured = ({ name, reason, fix }: Status['notCaptured'][number]): ShownProblem => ({
  ...nothingToDo,
  severity: 'stopped',
  what: name,
  why: reason,
  follows: 'The target shows its rows as they were when it was last captured. Later changes do not come.',
  sql: fix,
  path: pathOf.table(name),
})

const ofMissing = ({ name, part }: Status['missing'][number]): ShownProblem => ({
  ...nothingToDo,
  severity: 'failing',
  what: name,
  why: `its ${part} in the target ${part === 'rows' ? 'were' : 'was'} dropped by hand`,
  follows: 'Nobody can read the table in the target until it is restored.',
  command: 'npm run recover',
  action: { name: 'capture.recover', target: 'all' },
  path: pathOf.table(name),
})

const ofWindows = ({ name, reason, since }: Status['windows'][number]): ShownProblem => ({
  ...nothingToDo,
  severity: 'stopped',
  what: `windows ${name}`,
  why: reason ?? 'the definition is stopped',
  follows: 'Its result stays as it was. Other definitions go on.',
  since,
  command: `npm run windows -- rebuild ${name}`,
  path: pathOf.windows(name),
})

const ofPublishing = ({ name, publishing }: Status['windows'][number]): ShownProblem => ({
  ...nothingToDo,
  severity: 'failing',
  what: `windows ${name}`,
  why: publishing ?? '',
  follows: 'Its topic does not have all of the result. The table has it, and publishing is tried again by itself.',
  path: pathOf.windows(name),
})

function ofQuarantined({ topic, table, records, newestReason, newestAt, command }: Status['quarantined'][number]) {
  const count = records === 1 ? '1 record' : `${records} records`
  return {
    ...nothingToDo,
    severity: 'attention',
    what: table === null ? topic : `${table} of ${topic}`,
    why: `${count} in quarantine: ${newestReason}`,
    follows: 'They are not applied until they are retried or discarded. The records after them are applied.',
    since: newestAt,
    command,
    path: pathOf.quarantine(table),
  } satisfies ShownProblem
}

const ofUncaptured = ({ name, why, fix }: Status['uncaptured'][number]): ShownProblem => ({
  ...nothingToDo,
  severity: 'attention',
  what: name,
  why,
  follows: 'The table is not in the target.',
  sql: fix,
  path: pathOf.table(name),
})

const ofEmptyView = ({ name, dependents, droppedBy }: Status['emptyViews'][number]): ShownProblem => ({
  ...nothingToDo,
  severity: 'attention',
  what: name,
  why: `the source has dropped the table, and its view stays because of ${dependents}`,
  follows: 'The view has no rows. The SQL drops it in the target, with what depends on it.',
  sql: droppedBy,
  path: pathOf.table(name),
})

const ofIndex = ({ table, name, reason, command }: Status['indexProblems'][number]): ShownProblem => ({
  ...nothingToDo,
  severity: 'attention',
  what: table,
  why: `index ${name} is not made: ${reason}`,
  follows: 'Rows are kept equal without it. Queries that need it are slow.',
  command,
  path: pathOf.table(table),
})
