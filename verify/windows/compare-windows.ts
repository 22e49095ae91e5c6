import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { CONSUMERS } from '#core/fixed-names.ts'
import { formatQuantity } from '#terminal/quantities.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { type DatabaseSession, sessionOver, toCompare } from '../database-session.ts'
import { LaggingError, waitUntilVisible } from '../watermark.ts'
import { type BuiltDefinition, type DefinitionVersion, isShown, readDefinitionVersions } from './built-definitions.ts'
import { compareGroups, type DifferingGroup } from './compare-groups.ts'
import { batchGroups, keptGroups, setAsideRows } from './group-queries.ts'
import { type Suspect, stillSuspected } from './suspected-groups.ts'

export type CompareWindowsOptions = {
  /** URL of the target, for its administrator. */
  readonly target: string
  /** URL of the source; without it, the rows of the target are computed only, and nothing is waited for. */
  readonly source?: string | undefined
  /** One definition; by default all are compared. */
  readonly name?: string | undefined
  /** The time limit for all waits together. */
  readonly waitMs: number
  readonly onProgress?: (what: string) => void
}

/** The groups of a definition beside those that batch SQL computes. */
export type DefinitionComparison = {
  readonly name: string
  readonly state: DefinitionVersion['state']
  readonly reason: string | null
  /** Names of the columns, for `differing`. */
  readonly keys: readonly string[]
  readonly results: readonly string[]
  /** Groups in the result; null where the definition is not shown, so that nothing is compared. */
  readonly groups: number | null
  /** Groups that differ from what the rows of the target give, and from what those of the source give. */
  readonly ofTarget: readonly DifferingGroup[]
  readonly ofSource: readonly DifferingGroup[] | null
  /** Groups that could not be compared, because they had changed at every look. */
  readonly changing: number
}

export type WindowsComparison = { readonly definitions: readonly DefinitionComparison[]; readonly seconds: number }

/** How often groups that differ are looked at again: while changes flow, windows are some milliseconds behind the rows. */
const LOOKS = 8

/**
 * Compares what definitions keep with batch SQL over the rows of the target, and over those of the source, group by group.
 * First it waits until everything that the source has committed is in windows, and definitions whose rows are being read
 * are complete. Changes may go on: what differs at one look is looked at again. Throws a LaggingError when the time is
 * up, and a UsageError when there is no such definition.
 */
export async function compareWindows(options: CompareWindowsOptions): Promise<WindowsComparison> {
  const started = performance.now()
  const { target: url, source: sourceUrl, name, waitMs, onProgress = () => undefined } = options
  const deadline = Date.now() + waitMs
  const onWait = (what: string) => onProgress(`waiting for ${what}`)
  await using opened = new OpenSessions()
  const target = await opened.open('target', url)
  const copies = await opened.open('target', url)
  const source = sourceUrl === undefined ? undefined : await opened.open('source', sourceUrl)
  await requireDefinition(target.client, name)
  const catchUp = async () => {
    const of = { target: target.session, deadline, onWait }
    if (source !== undefined) {
      await waitUntilVisible({ ...of, source: source.session })
      await waitUntilVisible({ ...of, source: source.session }, CONSUMERS.windows)
    }
    return settledVersions(target.client, name, { deadline, onWait })
  }
  const definitions: DefinitionComparison[] = []
  for (const version of latestOfEach(await catchUp())) {
    if (!isShown(version)) {
      definitions.push(describe(version, null))
      continue
    }
    const look = (side: 'source' | 'target') =>
      lookAgain(version, side, { target, copies, source, catchUp, onProgress })
    const ofTarget = await look('target')
    const ofSource = source === undefined ? undefined : await look('source')
    definitions.push(describe(version, ofTarget, ofSource))
  }
  return { definitions, seconds: Math.round(performance.now() - started) / 1_000 }
}

/** The number of groups that are not as batch SQL computes them. A definition that is stopped counts as one more. */
export const countWindowMismatches = ({ definitions }: WindowsComparison): number =>
  definitions.reduce(
    (sum, { state, ofTarget, ofSource }) =>
      sum + ofTarget.length + (ofSource?.length ?? 0) + (state === 'stopped' ? 1 : 0),
    0,
  )

async function requireDefinition(target: pg.Client, name: string | undefined): Promise<void> {
  if (name === undefined) return
  const versions = await readDefinitionVersions(target)
  if (versions.some((version) => version.name === name)) return
  const names = [...new Set(versions.map((version) => version.name))]
  throw new UsageError(
    `There is no definition ${name} in the target. ${names.length === 0 ? 'There is none.' : `There are: ${names.join(', ')}.`}`,
  )
}

/** The version that is shown, or else the one that will be. */
function latestOfEach(versions: readonly DefinitionVersion[]): DefinitionVersion[] {
  const byName = new Map<string, DefinitionVersion>()
  for (const version of versions) if (!byName.get(version.name)?.wasShown) byName.set(version.name, version)
  return [...byName.values()]
}

type Waiting = { readonly deadline: number; readonly onWait: (what: string) => void }

const pollMs = 50

/** Waits until no definition's rows are being read. */
async function settledVersions(
  target: pg.Client,
  name: string | undefined,
  { deadline, onWait }: Waiting,
): Promise<DefinitionVersion[]> {
  let reported: string | undefined
  for (;;) {
    const versions = await readDefinitionVersions(target, name)
    const reading = [...new Set(versions.filter(({ isUnderWay }) => isUnderWay).map((version) => version.name))]
    if (reading.length === 0) return versions
    const what = `the windows ${reading.join(', ')}, whose rows are being read`
    if (what !== reported) onWait(what)
    reported = what
    if (Date.now() > deadline) throw new LaggingError(`gave up waiting for ${what}`)
    await setTimeout(pollMs)
  }
}

type Opened = { readonly client: pg.Client; readonly session: DatabaseSession }

type Look = {
  readonly target: Opened
  readonly copies: Opened
  readonly source: Opened | undefined
  readonly catchUp: () => Promise<unknown>
  readonly onProgress: (what: string) => void
}

/** Groups that differ, and the number of those that change all the time. */
type Looked = { readonly groups: number; readonly differing: readonly DifferingGroup[]; readonly changing: number }

/**
 * Looks until no group has differed at every look, or for the last time. A group whose result was another one at each
 * look is behind its rows each time, which is no difference.
 */
async function lookAgain(version: BuiltDefinition, side: 'source' | 'target', look: Look): Promise<Looked> {
  let suspects: ReadonlyMap<string, Suspect> | undefined
  for (let times = 1; ; times++) {
    const { groups, differing } = await lookOnce(version, side, look)
    suspects = stillSuspected(suspects, differing)
    if (suspects.size === 0 || times === LOOKS) {
      const found = [...suspects.values()]
      const wrong = found.filter(({ hasStayed }) => hasStayed)
      return { groups, differing: wrong.map(({ group }) => group), changing: found.length - wrong.length }
    }
    await look.catchUp()
  }
}

/** Reads what is kept and the rows of the target in one snapshot. */
async function lookOnce(
  version: BuiltDefinition,
  side: 'source' | 'target',
  { target, copies, source, onProgress }: Look,
) {
  await target.client.query('begin isolation level repeatable read read only')
  try {
    const { rows } = await target.client.query('select pg_export_snapshot() as snapshot')
    await copies.client.query('begin isolation level repeatable read read only')
    await copies.client.query(`set transaction snapshot '${rows[0].snapshot}'`)
    const setAside = (await target.client.query(setAsideRows(version))).rows[0].rows as string
    const computing = side === 'source' ? source! : copies
    return await compareGroups(
      version,
      { session: target.session, query: keptGroups(version) },
      { session: computing.session, query: batchGroups(version, setAside) },
      (groups) =>
        onProgress(`comparing the windows ${version.name} with the ${side}: ${formatQuantity(groups, 'group')}`),
    )
  } finally {
    await Promise.all([target, copies].map(({ client }) => client.query('rollback').catch(() => undefined)))
  }
}

/** `ofTarget` is null where the definition is not shown, so that nothing is compared. */
function describe(
  { name, state, reason, definition }: DefinitionVersion,
  ofTarget: Looked | null,
  ofSource?: Looked,
): DefinitionComparison {
  const [keys, results] = [definition.keys, definition.aggregates].map((items) => items.map(({ alias }) => alias)) as [
    string[],
    string[],
  ]
  return {
    ...{ name, state, reason, keys, results },
    groups: ofTarget?.groups ?? null,
    ofTarget: ofTarget?.differing ?? [],
    ofSource: ofSource?.differing ?? null,
    changing: Math.max(ofTarget?.changing ?? 0, ofSource?.changing ?? 0),
  }
}

/** Connections that find functions where those find them that compute windows. */
class OpenSessions implements AsyncDisposable {
  readonly #clients: pg.Client[] = []

  async open(side: 'source' | 'target', url: string): Promise<Opened> {
    const client = clientOfUrl(url, 'tidemark-compare')
    await client.connect()
    this.#clients.push(client)
    await client.query(toCompare)
    await client.query(
      "select set_config('search_path', concat_ws(', ', 'pg_catalog, public', nullif(current_setting('search_path'), 'pg_catalog')), false)",
    )
    return { client, session: sessionOver(side, client, client) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()))
  }
}
