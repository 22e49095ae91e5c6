import { isDeepStrictEqual } from 'node:util'
import { type DrainRun, drainHeld, holdOfApply } from '../drain/held-drain.ts'
import { type MeasuredStack, startMeasuredStack } from '../measured-stack.ts'
import { orderOfTurn } from '../turns.ts'
import { bench } from '../workloads/bench.ts'
import { checksums } from '../workloads/fill.ts'
import { hasArrived, lastTransaction, type WorkloadTable } from '../workloads/workload.ts'
import { spreadIds, type TargetSize, targetSizes } from './target-sizes.ts'

/** The cost of the same number of updates in a target of one size. */
export type GrowthPoint = TargetSize & { readonly runs: DrainRun[] }

export type GrowthResult = {
  readonly changes: number
  /** Rows of the history before the first run and after the last one. All points share one history. */
  readonly historyRows: { readonly before: number; readonly after: number }
  readonly points: GrowthPoint[]
}

export type GrowthOptions = {
  /** Row counts of a single table. */
  readonly sizes: readonly number[]
  /** Numbers of tables over which ten rows for each change are spread. */
  readonly tableCounts: readonly number[]
  readonly changes: number
  readonly runs: number
  readonly onProgress: (what: string) => void
}

type MeasuredPoint = GrowthPoint & { readonly of: readonly WorkloadTable[] }

/**
 * Fills the tables without history and updates them with it, so that every point has the same history and only the
 * tables differ. The archive and Connect are stopped. The points take turns; every second turn has the reverse order.
 * Each point drains once before the first turn without being counted. Throws an Error when a state is not that of the
 * source.
 */
export async function measureGrowth(options: GrowthOptions): Promise<GrowthResult> {
  const { changes, runs, onProgress } = options
  const stack = await startMeasuredStack(onProgress, { keepsFunctionsWarm: true })
  try {
    await stack.archive.hold()
    const points = pointsOf(options)
    await setHistory(stack, false)
    for (const point of points) await prefill(stack, point, onProgress)
    // Otherwise autovacuum would run during the first runs, in processes of the server that are counted.
    onProgress('vacuuming the target')
    await stack.target.query('vacuum (analyze)')
    await setHistory(stack, true)
    let end = 0
    const drainOnce = (point: MeasuredPoint) => drainUpdates(stack, point, { changes, end: `end_${++end}` })
    for (const point of points) {
      onProgress(`not counted, ${describeSize(point)}`)
      await drainOnce(point)
    }
    const before = await countHistory(stack)
    for (let run = 1; run <= runs; run++) {
      for (const point of orderOfTurn(run, points)) {
        onProgress(`run ${run} of ${runs}, ${describeSize(point)}`)
        point.runs.push(await drainOnce(point))
      }
    }
    const after = await countHistory(stack)
    for (const point of points) await compareAll(stack, point, onProgress)
    return {
      ...{ changes, historyRows: { before, after } },
      points: points.map(({ of: _, ...point }) => point),
    }
  } finally {
    await stack.stop()
  }
}

function pointsOf(options: GrowthOptions): MeasuredPoint[] {
  return targetSizes(options).map((size, n) => ({
    ...size,
    of: Array.from({ length: size.tables }, (_, number) => bench.tables(`g${n}_${number + 1}`)[0]!),
    runs: [],
  }))
}

const describeSize = ({ rows, tables }: Omit<TargetSize, 'kind'>): string =>
  `${tables} table${tables === 1 ? '' : 's'} of ${rows.toLocaleString('en-US')} rows`

const setHistory = ({ target }: MeasuredStack, isEnabled: boolean) =>
  target.query(`select tidemark.set_history('*', $1)`, [isEnabled])

async function countHistory({ target }: MeasuredStack): Promise<number> {
  const { rows } = await target.query<{ count: number }>('select count(*)::float8 as count from tidemark_rows.change')
  return rows[0]!.count
}

/** With more rows in one transaction, the source would write them to files while it decodes the log. */
const ROWS_OF_A_COMMIT = 50_000
/**
 * How many rows may be under way. It is small enough for a busy machine to have them visible before the wait for them
 * ends.
 */
const ROWS_UNDER_WAY = 250_000

async function prefill(stack: MeasuredStack, point: MeasuredPoint, onProgress: (what: string) => void): Promise<void> {
  const { rows, of } = point
  onProgress(`filling ${describeSize(point)}`)
  await stack.createTables(of)
  let underWay = 0
  for (const { name } of of) {
    for (let first = 1; first <= rows; first += ROWS_OF_A_COMMIT) {
      const last = Math.min(rows, first + ROWS_OF_A_COMMIT - 1)
      await stack.source.query(
        `insert into public.${name} (id, a, s, n, ts, j, b, u)
         select g, g, md5(g::text) || md5((g + 1)::text), g % 1000000 / 100.0, '2026-01-01', '{"k": 1}', true, 'user ' || g
         from generate_series(${first}, ${last}) g`,
      )
      underWay += last - first + 1
      if (underWay < ROWS_UNDER_WAY) continue
      underWay = 0
      await stack.visible()
      onProgress(`filling ${describeSize(point)}: ${last.toLocaleString('en-US')} are visible`)
    }
  }
  await stack.visible()
}

/** Drains `changes` updates, whose rows are spread over the whole of the tables. */
async function drainUpdates(
  stack: MeasuredStack,
  point: MeasuredPoint,
  { changes, end }: { changes: number; end: string },
): Promise<DrainRun> {
  const { capture, apply, source, pipeline } = stack
  const { of } = point
  // The last rows are in a table of their own. All tables share one topic, so these rows come after all others.
  const last: WorkloadTable = { name: end, key: 'id', columns: [['id', 'bigint']] }
  await capture.start()
  await apply.release()
  await stack.createTables([last])
  await apply.hold()
  const { each, ids } = spreadIds(point, changes)
  const update = (name: string) =>
    `update public.${name} set a = a + 1, n = n + 1, s = md5(s) || md5(a::text) where id in (${ids})`
  // The updates are one transaction, however many tables there are.
  await source.query(of.map(({ name }) => update(name)).join(';\n'))
  await source.query(lastTransaction([last]))
  await capture.caughtUp()
  await capture.stop()
  // Only the updated rows are compared. Reading ten million rows would take longer than the drain, and would empty
  // every cache before the next one.
  const updated = `id in (${ids})`
  const run = await drainHeld(stack, {
    url: pipeline.engine.endpoints.target,
    arrived: hasArrived([last]),
    state: (client) => checksums(client, of, updated),
    expected: await checksums(source, of, updated),
    changes: each * of.length,
    hold: holdOfApply,
    begin: () => apply.release(),
    onHeld: () => undefined,
  })
  if (!run.isEqual) throw new Error(`${describeSize(point)}: the updated rows are not those of the source`)
  return run
}

async function compareAll(
  { source, target }: MeasuredStack,
  point: MeasuredPoint,
  onProgress: (what: string) => void,
): Promise<void> {
  onProgress(`comparing ${describeSize(point)}`)
  const [expected, found] = [await checksums(source, point.of), await checksums(target, point.of)]
  if (!isDeepStrictEqual(found, expected)) {
    throw new Error(`${describeSize(point)}: the final state is not that of the source`)
  }
}
