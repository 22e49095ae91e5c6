import type { Equality } from '#core/console/equality.ts'
import type { Session, Snapshot } from '#core/console/overview.ts'
import { problemsOf } from '#core/console/problems.ts'
import { samenessOf } from '#core/console/snapshot-sameness.ts'
import type { ConsolePart, Unreachable } from '#core/console/values.ts'
import { CONNECT_IS_SILENT } from '#core/status/capture-status.ts'
import type { Status } from '#core/status/status.ts'
import { messageOf } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'

/** What the session and the snapshot are made of. */
export type OverviewParts = {
  /** Without the name of the user, which comes with each request. */
  readonly session: Omit<Session, 'who'>
  readonly status: () => Promise<Status>
  /** The bytes of WAL at which Postgres gives a replication slot up; null without a limit. */
  readonly slotLimit: () => Promise<number | null>
  readonly equality: () => Equality | null
  readonly parts: Pick<UnreachableParts, 'list'>
  readonly now: () => Date
}

/** A snapshot that differs in ages only is kept for this long. */
const KEPT_MS = 15_000
/** The setting is read this rarely, because it changes with a restart or reload of the source only. */
const LIMIT_MS = 60_000

/** Answers who looks, and what is seen at a glance. */
export function overviewRoutes(options: OverviewParts): Pick<RouteHandlers, 'GET /session' | 'GET /snapshot'> {
  const snapshot = makeSnapshot(options)
  return {
    'GET /session': async ({ who }) => ({ ...options.session, who }),
    'GET /snapshot': snapshot,
  }
}

/**
 * Makes snapshots. It never rejects: without a status, the snapshot says what does not answer. The former one is returned
 * again while nothing worth showing has changed, so that its ETag stays.
 */
export function makeSnapshot(options: OverviewParts): () => Promise<Snapshot> {
  const { now } = options
  const findUnreachable = makeUnreachable(options)
  const readLimit = makeLimit(options)
  let last: { readonly snapshot: Snapshot; readonly sameness: string; readonly untilMs: number } | undefined
  return async () => {
    const [seen, limitBytes] = await Promise.all([readStatus(options.status), readLimit()])
    const status = seen.status
    const slot = status?.retainedWalBytes == null ? null : { retainedBytes: status.retainedWalBytes, limitBytes }
    const snapshot: Snapshot = {
      version: 1,
      at: now().toISOString(),
      status,
      unreachable: findUnreachable(seen),
      problems: status === null ? [] : problemsOf(status, slot),
      slot,
      equality: withoutRows(options.equality()),
    }
    const sameness = samenessOf(snapshot)
    if (last?.sameness === sameness && now().getTime() < last.untilMs) return last.snapshot
    last = { snapshot, sameness, untilMs: now().getTime() + KEPT_MS }
    return snapshot
  }
}

/** Differing rows are asked for on their own, because a snapshot is asked for all the time. */
const withoutRows = (equality: Equality | null): Equality | null =>
  equality && { ...equality, tables: equality.tables.map((table) => ({ ...table, differences: [] })) }

type Seen = { readonly status: Status; readonly why: null } | { readonly status: null; readonly why: string }

const readStatus = (status: OverviewParts['status']): Promise<Seen> =>
  status().then(
    (value) => ({ status: value, why: null }),
    (error: unknown) => ({ status: null, why: messageOf(error) }),
  )

/** The limit as it was last read: a source that does not answer is noted by the status, and must not fail the snapshot. */
function makeLimit({ slotLimit, now }: OverviewParts): () => Promise<number | null> {
  let last: number | null = null
  let untilMs = 0
  return async () => {
    if (now().getTime() < untilMs) return last
    last = await slotLimit().catch(() => last)
    untilMs = now().getTime() + LIMIT_MS
    return last
  }
}

/** The names under which the status shows what it cannot observe. */
const observed: Readonly<Record<string, ConsolePart>> = {
  source: 'source',
  target: 'target',
  topics: 'kafka',
  archive: 'archive',
}

/**
 * What does not answer. A status has just asked for most parts, so its verdict counts for them, and not that of a panel
 * which may have asked long ago.
 */
function makeUnreachable({ parts, now }: OverviewParts): (seen: Seen) => Unreachable[] {
  const since = new Map<ConsolePart, string>()
  const note = (part: ConsolePart, why: string): Unreachable => {
    if (!since.has(part)) since.set(part, now().toISOString())
    return { part, why, since: since.get(part)!, command: null }
  }
  return ({ status, why }) => {
    const others = parts.list()
    if (status === null) return others.length > 0 ? [...others] : [note('target', why)]
    const silent = silentParts(status)
    for (const part of since.keys()) if (!silent.some(([name]) => name === part)) since.delete(part)
    const asked = new Set<ConsolePart>([...Object.values(observed), 'connect'])
    return [...silent.map(([part, reason]) => note(part, reason)), ...others.filter(({ part }) => !asked.has(part))]
  }
}

function silentParts({ components, capture }: Status): [ConsolePart, string][] {
  const silent = components.flatMap(({ name, kind, state, lastError }): [ConsolePart, string][] => {
    const part = observed[name]
    return part !== undefined && kind === 'server' && state === 'failing' ? [[part, lastError ?? '']] : []
  })
  const isConnectSilent = capture.cause?.startsWith(CONNECT_IS_SILENT) === true
  return isConnectSilent ? [...silent, ['connect', capture.cause ?? '']] : silent
}
