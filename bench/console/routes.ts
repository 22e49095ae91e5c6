import type pg from 'pg'
import { API_ROOT } from '#core/console/routes.ts'
import { percentile } from '../machine/statistics.ts'
import {
  addChanges,
  fillSource,
  fillTarget,
  type HistorySize,
  rowsOfTable,
  transactionsOf,
  userOf,
} from './history-content.ts'
import { type HistoryServer, startHistoryServer } from './history-server.ts'

/** The time of a kind of request, in milliseconds from asking until the whole answer is there. */
export type RouteTimes = {
  readonly what: string
  readonly requests: number
  readonly ms: { readonly p50: number; readonly p95: number; readonly most: number }
  readonly bytes: number
  /** Answers of a search that ended when its time was used up, and that say how far it came. */
  readonly unfinished: number
}

export type RoutesResult = HistorySize & { readonly historyBytes: number; readonly routes: RouteTimes[] }

export type RoutesOptions = HistorySize & {
  readonly requests: number
  readonly onProgress: (what: string) => void
}

/**
 * Asks the console of a target with this many tables and changes, one request after the other, each with other values.
 * It has its own Postgres, with the settings of the local stack. One request of each kind is not counted.
 */
export async function measureRoutes(options: RoutesOptions): Promise<RoutesResult> {
  const { tables, changes, requests, onProgress } = options
  const size = { tables, changes }
  onProgress('starting Postgres and the console')
  const server = await startHistoryServer()
  try {
    await fillSource(server.source, size)
    await fillTarget(server.target, size, onProgress)
    const console = await server.startConsole()
    const routes: RouteTimes[] = []
    for (const route of routesOf(size, server)) {
      onProgress(`asking: ${route.what}`)
      routes.push(await timesOf(route, { url: console.url + API_ROOT, requests }))
    }
    return { ...size, historyBytes: await sizeOfHistory(server.target), routes }
  } finally {
    await server.stop()
  }
}

type Json = Record<string, unknown>

/** A kind of request. `path` gets the number of the request, and the answer before. */
type AskedRoute = {
  readonly what: string
  readonly path: (request: number, last: Json | undefined) => string
  /** Runs before each request. */
  readonly before?: (request: number) => Promise<unknown>
}

/** The page asks for so many. */
const LIMIT = 50

function routesOf(size: HistorySize, { target }: HistoryServer): AskedRoute[] {
  const { tables } = size
  const tableOf = (n: number) => `public.t${1 + ((n * 37) % tables)}`
  const keyOf = (n: number) => JSON.stringify({ column_1: String(1 + ((n * 7) % rowsOfTable(size))) })
  const changes = (query: Record<string, string>) => `/changes?${new URLSearchParams({ limit: `${LIMIT}`, ...query })}`
  const transactionAt = (n: number) => String(Math.floor(((n + 1) * transactionsOf(size)) / 64) % transactionsOf(size))
  const behind = (last: Json | undefined, name: string): Record<string, string> =>
    typeof last?.[name] === 'string' ? { after: last[name] } : {}
  const tail = (last: Json | undefined) =>
    `/changes/tail?${new URLSearchParams({ limit: `${LIMIT}`, ...behind(last, 'cursor') })}`
  return [
    { what: 'list, newest', path: () => changes({}) },
    { what: 'list, each page behind the one before', path: (_, last) => changes(behind(last, 'next')) },
    { what: 'list by table', path: (n) => changes({ table: tableOf(n) }) },
    { what: 'list by key', path: (n) => changes({ table: tableOf(n), key: keyOf(n) }) },
    { what: 'list by transaction', path: (n) => changes({ transaction: transactionAt(n) }) },
    { what: 'list by who', path: (n) => changes({ who: userOf(n) }) },
    { what: 'list by who, nobody', path: (n) => changes({ who: `stranger ${n}` }) },
    { what: 'tail, the first answer', path: () => tail(undefined) },
    { what: 'tail, nothing new', path: (_, last) => tail(last) },
    {
      what: 'tail, 1,000 changes new',
      path: (_, last) => tail(last),
      before: (n) => addChanges(target, size, n),
    },
    { what: 'tables, 100 of them', path: () => '/tables' },
    { what: 'tables, 1,000 at most', path: () => '/tables?limit=1000' },
    { what: 'one table', path: (n) => `/tables/${encodeURIComponent(tableOf(n))}` },
    { what: 'quarantine', path: () => '/quarantine' },
    { what: 'quarantine of a table', path: (n) => `/quarantine?${new URLSearchParams({ table: tableOf(n) })}` },
    { what: 'life of a row', path: (n) => `/rows?${new URLSearchParams({ table: tableOf(n), key: keyOf(n) })}` },
    { what: 'snapshot', path: () => '/snapshot' },
  ]
}

type Asking = { readonly url: string; readonly requests: number }

async function timesOf({ what, path, before }: AskedRoute, { url, requests }: Asking): Promise<RouteTimes> {
  const times: number[] = []
  const sizes: number[] = []
  let [last, unfinished] = [undefined as Json | undefined, 0]
  for (let request = 0; request <= requests; request++) {
    await before?.(request)
    const startedAt = performance.now()
    const response = await fetch(url + path(request, last))
    const text = await response.text()
    const ms = performance.now() - startedAt
    if (!response.ok) throw new Error(`${what}: status ${response.status}: ${text.slice(0, 500)}`)
    last = JSON.parse(text) as Json
    if (request === 0) continue
    times.push(ms)
    sizes.push(text.length)
    if (typeof last['searchedUntil'] === 'string') unfinished++
  }
  const at = (share: number) => Math.round(percentile(times, share) * 10) / 10
  return { what, requests, ms: { p50: at(0.5), p95: at(0.95), most: at(1) }, bytes: percentile(sizes, 0.5), unfinished }
}

async function sizeOfHistory(target: pg.Client): Promise<number> {
  const { rows } = await target.query<{ bytes: number }>(
    `select sum(pg_total_relation_size(inhrelid))::float8 as bytes from pg_inherits where inhparent = 'tidemark_rows.change'::regclass`,
  )
  return rows[0]!.bytes
}
