import type pg from 'pg'
import { makeChangeList, parseCursor } from '#adapters/postgres/console/change-list.ts'
import { parsePlace } from '#adapters/postgres/console/change-place.ts'
import { makeChangeTail, parseTailCursor } from '#adapters/postgres/console/change-tail.ts'
import {
  beginResync,
  listActions,
  makeActionRecord,
  readCapturedTable,
  readStoppedTable,
} from '#adapters/postgres/console/console-actions.ts'
import { readContractTimes } from '#adapters/postgres/console/contract-times.ts'
import {
  countKept,
  listQuarantined,
  parseQuarantinePlace,
  readQuarantined,
} from '#adapters/postgres/console/quarantine-reads.ts'
import { makeRowLife, parseLifeCursor } from '#adapters/postgres/console/row-life.ts'
import { countQuarantined, makeCountDay, readTableFacts, readUnkept } from '#adapters/postgres/console/table-facts.ts'
import { type ActionPorts, makeActionRoutes } from './routes/actions.ts'
import { makeChangeRoutes } from './routes/changes.ts'
import { makeQuarantineRoutes, type QuarantinePorts } from './routes/quarantine.ts'
import { makeTableRoutes, type TablePorts } from './routes/tables.ts'
import { makeTableActions, type TableActionPorts } from './table-actions.ts'
import type { UnreachableParts } from './unreachable-parts.ts'

/** What the routes that are answered from the databases need. */
export type DatabaseRouteParts = {
  /** The target, for tidemark_console_read. */
  readonly target: pg.Pool
  /** The source, for tidemark_console_read; undefined where the console does not know it. */
  readonly source: pg.Pool | undefined
  /** Target and source for tidemark_console_act; undefined where the console may only read. */
  readonly acting: { readonly target: pg.Pool; readonly source: pg.Pool } | undefined
  readonly parts: Pick<UnreachableParts, 'ask'>
  readonly status: TablePorts['status']
  /** How queries name the table of the archive; null if there is none. */
  readonly archiveTable: string | null
  readonly readNeighbours: QuarantinePorts['readNeighbours']
  /** The actions that are not executed in the databases. */
  readonly executors: ActionPorts['executors']
  readonly startCapture: TableActionPorts['startCapture']
  readonly startApply: TableActionPorts['startApply']
  readonly appVersion: string
  /** ms of a clock. */
  readonly now: () => number
}

/** How long a search for rare changes goes on before it answers how far it came. */
const searchMs = 200

/** The routes of changes, tables, the quarantine and actions. */
export function makeDatabaseRoutes(of: DatabaseRouteParts) {
  const { target, source, parts, now } = of
  const budget = { now, budgetMs: searchMs }
  return {
    ...makeChangeRoutes({
      ...makeChangeList(target, budget),
      tail: makeChangeTail(target, budget),
      life: makeRowLife(target, budget, of.archiveTable),
      ...{ parseCursor, parseTailCursor, parseLifeCursor, parsePlace, now, parts },
    }),
    ...makeTableRoutes({
      status: of.status,
      countDay: makeCountDay(target, now),
      countQuarantined: () => countQuarantined(target),
      readUnkept: () => readUnkept(target),
      readFacts: (table) => readTableFacts(target, table),
      readContractTimes: source === undefined ? null : (relations) => readContractTimes(source, relations),
      parts,
    }),
    ...makeQuarantineRoutes({
      parsePlace: parseQuarantinePlace,
      list: (table, after, limit) => listQuarantined(target, table, after, limit),
      read: (place) => readQuarantined(target, place),
      readNeighbours: of.readNeighbours,
      parts,
    }),
    ...actionRoutes(of),
  }
}

function actionRoutes(of: DatabaseRouteParts) {
  const { target, acting, parts } = of
  const list: ActionPorts['list'] = (before, limit) => parts.ask('target', () => listActions(target, before, limit))
  if (acting === undefined) {
    return makeActionRoutes({ list, record: undefined, executors: {}, appVersion: of.appVersion })
  }
  const record = makeActionRecord(acting.target)
  const own = makeTableActions({
    readStopped: (table) => parts.ask('target', () => readStoppedTable(target, table)),
    countKept: (what) => parts.ask('target', () => countKept(target, what)),
    readCaptured: (table) => parts.ask('source', () => readCapturedTable(of.source ?? acting.source, table)),
    beginResync: (table) => parts.ask('source', () => beginResync(acting.source, table)),
    executeInTarget: (id) => parts.ask('target', () => record.execute(id)),
    startCapture: of.startCapture,
    startApply: of.startApply,
  })
  const recorded: ActionPorts['record'] = {
    begin: (action) => parts.ask('target', () => record.begin(action)),
    finish: (...outcome) => parts.ask('target', () => record.finish(...outcome)),
  }
  return makeActionRoutes({ list, record: recorded, executors: { ...own, ...of.executors }, appVersion: of.appVersion })
}
