import type { ActionAnswer, ActionRequest } from '#core/console/actions.ts'
import type { ShownChange } from '#core/console/changes.ts'
import type { Session, Snapshot } from '#core/console/overview.ts'
import type { ConsolePart, Problem } from '#core/console/values.ts'
import { standInChange } from './stand-in-changes.ts'
import {
  standInActions,
  standInArchive,
  standInConnectors,
  standInEquality,
  standInInspection,
  standInQuery,
  standInSeries,
} from './stand-in-parts.ts'
import { type Scene, standInStatus } from './stand-in-status.ts'
import { listedTables, quarantinedDetails, standInProblems, tableDetail } from './stand-in-tables.ts'
import { recordPage, recordPart, standInRecord, standInTopics } from './stand-in-topics.ts'

/** What the stand-in remembers: its scene, which parts do not answer, and how fast changes come. */
export class StandIn {
  scene: Scene
  lost: readonly ConsolePart[] = []
  changesPerSecond = 20
  hasActions = true
  hasEvents = true
  readonly beganMs = Date.now()

  constructor(scene: Scene) {
    this.scene = scene
  }

  session(): Session {
    return {
      ...{ version: '0.1.0', who: 'ana@shop.example', token: 'token', events: this.hasEvents, stage: 'local' },
      actions: this.hasActions
        ? [
            'table.resync',
            'table.accept',
            'quarantine.retry',
            'quarantine.discard',
            'connector.create',
            'connector.restart',
            'connector.pause',
            'connector.resume',
            'connector.delete',
            'capture.recover',
          ]
        : [],
      actionsOff: this.hasActions ? null : 'Actions are off. Start the console with --actions to switch them on.',
      archiveQuery: { kind: 'here' },
    }
  }

  snapshot(): Snapshot {
    return {
      ...{ version: 1, at: new Date().toISOString(), status: standInStatus(this.scene, Date.now()) },
      unreachable: this.lost.map((part) => ({
        part,
        why: 'connect ECONNREFUSED 127.0.0.1:15433',
        since: new Date(this.beganMs).toISOString(),
        command: null,
      })),
      problems: standInProblems(this.scene),
      slot:
        this.scene === 'empty'
          ? null
          : { retainedBytes: this.scene === 'wrong' ? 7_100_000_000 : 16_777_216, limitBytes: 8_589_934_592 },
      equality: standInEquality(this.scene),
    }
  }

  /** The number of changes that have come since the beginning. */
  get changes(): number {
    return 200 + Math.floor(((Date.now() - this.beganMs) / 1_000) * this.changesPerSecond)
  }
}

type Answer = { readonly status: number; readonly content: unknown }

const ok = (content: unknown): Answer => ({ status: 200, content })
const problem = (status: number, error: Problem['error']): Answer => ({ status, content: { error } })
const page = (items: readonly unknown[]) => ok({ items, next: null })

/** The part that the answer of each section needs. */
const partOf: Readonly<Record<string, ConsolePart>> = {
  tables: 'target',
  changes: 'target',
  rows: 'target',
  transactions: 'target',
  quarantine: 'target',
  windows: 'target',
  topics: 'kafka',
  consumers: 'kafka',
  connectors: 'connect',
  archive: 'archive',
}

/** The answer of a route, whose path is still encoded. */
export function answerOf(standIn: StandIn, route: string, query: URLSearchParams, body: unknown): Answer {
  const [method, path = ''] = route.split(' ')
  const [section = '', ...names] = path.slice(1).split('/').map(decodeURIComponent)
  const part = partOf[section]
  if (part !== undefined && standIn.lost.includes(part)) {
    const unreachable = standIn.snapshot().unreachable.find((each) => each.part === part)!
    return problem(503, { message: `${part} does not answer`, hint: null, unreachable })
  }
  return method === 'POST' ? posted(section, names, body) : got(standIn, section, names, query)
}

function posted(section: string, [name]: readonly string[], body: unknown): Answer {
  if (section === 'connectors') return ok(standInInspection())
  if (section === 'archive') return ok(standInQuery())
  if (section === 'equality') return ok(standInEquality('well'))
  const request = body as ActionRequest
  const plan: ActionAnswer = {
    ...{ kind: 'plan', command: `npm run resync -- ${request.target}`, needsReason: name === 'quarantine.discard' },
    will: [
      `all rows of ${request.target} are read again, which takes about 2 minutes`,
      'changes go on meanwhile, and readers see the present rows until the new ones are complete',
    ],
  }
  return ok(request.confirmed ? { kind: 'done', result: 'the resync has begun' } : plan)
}

function got(standIn: StandIn, section: string, names: readonly string[], query: URLSearchParams): Answer {
  const { scene } = standIn
  const [name] = names
  const missing = problem(404, { message: `there is no ${name}`, hint: null })
  const find = <T>(found: T | null | undefined): Answer => (found == null ? missing : ok(found))
  switch (section) {
    case 'session':
      return ok(standIn.session())
    case 'snapshot':
      return ok(standIn.snapshot())
    case 'tables':
      return name === undefined ? page(matching(listedTables(scene), query)) : find(tableDetail(scene, name))
    case 'changes':
      return changes(standIn, name, query)
    case 'rows':
      return ok(rowLife(query))
    case 'transactions':
      return ok({ ...{ epoch: 3, transaction: names[1], next: null }, ...who(), changes: some(9, 6) })
    case 'topics':
      if (name === undefined) return ok({ topics: scene === 'empty' ? [] : standInTopics() })
      if (names[2] === undefined) return ok(recordPage(name, query))
      return ok(
        query.has('part')
          ? recordPart(name, names[2]!, names[3]!, Number(query.get('from')))
          : { ...standInRecord(name, Number(names[2]), Number(names[3])), valueFrom: 0 },
      )
    case 'connectors': {
      const all = standInConnectors(scene === 'wrong')
      return name === undefined
        ? ok({ connectors: scene === 'empty' ? [] : all })
        : find(all.find((each) => each.name === name))
    }
    case 'consumers':
      return ok({
        consumers: standInStatus(scene, Date.now()).lags.map((lag) => ({
          ...lag,
          function: { apply: 'apply-latest-state', windows: 'maintain-windows', archive: 'archive-changes' }[lag.work],
          mapping: {
            state: 'Enabled',
            lastError: lag.work === 'windows' ? 'the function answered with an error: deadlock detected' : null,
          },
        })),
      })
    case 'archive':
      return ok(standInArchive())
    case 'windows':
      return name === undefined
        ? ok({ definitions: standInStatus(scene, 0).windows })
        : ok(standInSeries(name, query.get('measure')))
    case 'quarantine':
      return name === undefined
        ? page(quarantinedDetails(scene))
        : find(quarantinedDetails(scene).find((each) => each.place === name))
    case 'equality':
      return ok({ equality: standInEquality(scene) })
    case 'actions':
      return page(scene === 'empty' ? [] : standInActions())
    default:
      return missing
  }
}

const who = () => ({
  committedAt: new Date().toISOString(),
  who: 'ana@shop.example',
  application: 'psql',
  why: 'ticket 4711',
})

const some = (from: number, count: number): readonly ShownChange[] =>
  Array.from({ length: count }, (_, i) => standInChange(from + i, Date.now() - i * 61_000))

function matching(tables: ReturnType<typeof listedTables>, query: URLSearchParams) {
  const search = query.get('search') ?? ''
  const state = query.get('state')
  return tables.filter((table) => table.name.includes(search) && (state === null || table.state === state))
}

function changes(standIn: StandIn, name: string | undefined, query: URLSearchParams): Answer {
  if (standIn.scene === 'empty' && name !== undefined && name !== 'tail')
    return problem(404, { message: `there is no change ${name}`, hint: null })
  if (standIn.scene === 'empty')
    return name === 'tail'
      ? ok({ items: [], cursor: '0', skipped: 0 })
      : ok({ items: [], next: null, searchedUntil: null })
  if (name !== undefined && name !== 'tail') return ok(standInChange(Number(name.slice(1)), Date.now(), true))
  const end = standIn.changes
  if (name === undefined)
    return ok({
      items: some(end - 100, 100),
      next: 'more',
      searchedUntil: new Date(Date.now() - 7_200_000).toISOString(),
    })
  const limit = Number(query.get('limit') ?? 100)
  const after = Number(query.get('after') ?? end - 100)
  const from = Math.max(after, end - limit)
  return ok({
    items: Array.from({ length: end - from }, (_, i) => standInChange(from + i, Date.now())),
    cursor: String(end),
    skipped: from - after,
  })
}

function rowLife(query: URLSearchParams) {
  const life = some(20, 7)
  return {
    ...{
      table: query.get('table'),
      changes: life,
      next: 'more',
      retention: '30 days',
      archiveSql: "select * from archive where table_name = 'orders' and key = '7'",
    },
    keys: [life[0]!.key, life[1]!.key],
    now: standInChange(9, Date.now(), true).columns.map(({ name, after, before }) => ({ name, cell: after ?? before })),
  }
}
