import type { ResultTable } from '../bench-command.ts'
import type { DrainRun } from '../drain/held-drain.ts'
import { pairedRatios, percentile, spreadOf } from '../machine/statistics.ts'
import { BROWSER } from './browser-process.ts'
import type { ConsoleResult } from './console-bench.ts'
import { CONSOLE } from './console-process.ts'
import type { CostResult } from './cost.ts'
import type { MemoryResult, MemorySample } from './memory.ts'
import type { RoutesResult } from './routes.ts'
import type { SeenResult } from './seen.ts'

/** Tables of the parts that were measured. Figures that have to be reached are beside the limit. */
export function describeConsole({ cost, seen, memory, routes }: ConsoleResult): ResultTable[] {
  return [
    ...(cost ? [describeCost(cost)] : []),
    ...(seen ? [describeSeen(seen)] : []),
    ...(memory ? [describeMemory(memory)] : []),
    ...(routes ? [describeRoutes(routes)] : []),
  ]
}

/** What belongs to the console or measures; everything else is the pipeline. */
const ofConsole = [CONSOLE, 'console backends']
const notOfPipeline = [...ofConsole, BROWSER, 'measurement']

function describeCost({ changes, withPages, withoutPages }: CostResult): ResultTable {
  const rows = [
    ['two pages open', withPages],
    ['no page open', withoutPages],
  ] as const
  const speeds = pairedRatios(withPages.map(speedOf), withoutPages.map(speedOf))
  const lost = 1 - spreadOf(speeds).median
  const loads = spreadOf([...withPages, ...withoutPages].map(({ load }) => load))
  return {
    title: `What the console costs: drain of ${count(changes)} changes`,
    header: [
      ...['pages', 'changes/s, median', 'lowest to highest', '÷ no page', 'µs of the pipeline per change', '÷ no page'],
      ...['cores: console', 'cores: its sessions', 'cores: Chromium'],
    ],
    rows: rows.map(([name, runs]) => {
      const speed = spreadOf(runs.map(speedOf))
      return [
        ...[name, count(speed.median), `${count(speed.least)} – ${count(speed.most)}`],
        ratioOf(runs, withoutPages, speedOf),
        spreadOf(runs.map(microsOf)).median.toFixed(1),
        ratioOf(runs, withoutPages, microsOf),
        ...[...ofConsole, BROWSER].map((group) => spreadOf(runs.map((run) => coresOf(run, group))).median.toFixed(2)),
      ]
    }),
    notes: [
      `With two pages, the overview and the live changes, ${(lost * 100).toFixed(1)} % fewer changes were drained in a second (${spanOf(speeds.map((speed) => 1 - speed))} in each turn); at most 3 % is wanted: ${verdict(lost <= 0.03)}.`,
      `Medians of ${withPages.length} runs of each in turns, ratios those of the same turn; load average before a run ${loads.least} – ${loads.most}. Every final state was that of the source.`,
      'The console runs in both. Chromium measures, so it is not counted.',
    ],
  }
}

const speedOf = ({ changesPerSecond }: DrainRun): number => changesPerSecond

const microsOf = ({ microsPerChange }: DrainRun): number =>
  Object.entries(microsPerChange).reduce(
    (sum, [group, micros]) => sum + (notOfPipeline.includes(group) ? 0 : micros),
    0,
  )

/** Seconds of the processor in a second of the drain. */
const coresOf = ({ microsPerChange, changesPerSecond }: DrainRun, group: string): number =>
  ((microsPerChange[group] ?? 0) * changesPerSecond) / 1e6

const ratioOf = (runs: readonly DrainRun[], others: readonly DrainRun[], value: (run: DrainRun) => number): string =>
  spreadOf(pairedRatios(runs.map(value), others.map(value))).median.toFixed(3)

function spanOf(shares: readonly number[]): string {
  const { least, most } = spreadOf(shares)
  return `${(least * 100).toFixed(1)} – ${(most * 100).toFixed(1)} %`
}

function describeSeen({ loads, insertMs, updateMs }: SeenResult): ResultTable {
  const rows = [
    ['a fresh load: first paint with content', loads.map(({ firstPaintMs }) => firstPaintMs), { p50: 1_000 }],
    ['a fresh load: every panel has content', loads.map(({ completeMs }) => completeMs), { p50: 2_000 }],
    ['a fresh load: the charts are drawn, with the second snapshot', loads.map(({ chartsMs }) => chartsMs), {}],
    ['from commit until seen: insert', insertMs, { p95: 1_000 }],
    ['from commit until seen: update', updateMs, { p95: 1_000 }],
  ] as const
  return {
    title: 'How soon the console shows something',
    header: ['what', 'p50 ms', 'p95 ms', 'most', 'wanted', ''],
    rows: rows.map(([what, times, wanted]) => {
      const found = { p50: percentile(times, 0.5), p95: percentile(times, 0.95), most: percentile(times, 1) }
      const limits = Object.entries(wanted) as [keyof typeof found, number][]
      return [
        ...[what, ...Object.values(found).map((ms) => ms.toFixed(0))],
        limits.map(([share, limit]) => `${share} ≤ ${count(limit)}`).join(', ') || '–',
        limits.length === 0 ? '' : verdict(limits.every(([share, limit]) => found[share] <= limit)),
      ]
    }),
    notes: [
      `${loads.length} loads of the overview, each in a new profile of the browser, since the navigation began, while fifty changes a second were made.`,
      `${insertMs.length} inserts and ${updateMs.length} updates by a client of its own, from the answer to the commit until the row is in the document of the live changes, at times that are evenly spread between two looks of the page.`,
    ],
  }
}

/** So much more at the end, by the fitted line, still counts as flat: a collector of garbage leaves more or less. */
const FLAT = 0.1

const measured = [
  ['heap of the page, MB', ({ heapBytes }: MemorySample) => heapBytes / 1e6, 2],
  ['nodes of its document', ({ nodes }: MemorySample) => nodes, 0],
  ['memory of the server, MB', ({ serverBytes }: MemorySample) => serverBytes / 1e6, 1],
] as const

function describeMemory({ perSecond, committedPerSecond, samples, says }: MemoryResult): ResultTable {
  const minutes = samples.map(({ minute }) => minute)
  return {
    title: `Memory of a live list at ${count(perSecond)} changes a second`,
    header: ['what', 'first', 'last', 'most', 'a minute more', 'over all minutes', ''],
    rows: measured.map(([what, value, digits]) => {
      const values = samples.map(value)
      const slope = slopeOf(minutes, values)
      const growth = (slope * minutes.at(-1)!) / values[0]!
      const { most } = spreadOf(values)
      return [
        ...[what, ...[values[0]!, values.at(-1)!, most].map((each) => each.toFixed(digits)), slope.toFixed(digits + 1)],
        ...[`${(growth * 100).toFixed(1)} %`, growth <= FLAT ? 'flat' : '**grows**'],
      ]
    }),
    notes: [
      `${minutes.at(-1)} minutes, a look at the end of each, from when the list had as many entries as it keeps. The page's garbage is collected before each look. Growth is that of the line which fits best; at most ${FLAT * 100} % counts as flat.`,
      `The source took ${count(committedPerSecond)} changes a second. The list said at the end: ${says}.`,
    ],
  }
}

/** The slope of the line with the least squares of its distances. */
export function slopeOf(xs: readonly number[], ys: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanX, meanY] = [mean(xs), mean(ys)]
  const squares = xs.reduce((sum, x) => sum + (x - meanX) ** 2, 0)
  return xs.reduce((sum, x, i) => sum + (x - meanX) * (ys[i]! - meanY), 0) / squares
}

function describeRoutes({ tables, changes, historyBytes, routes }: RoutesResult): ResultTable {
  return {
    title: `Time of the console's routes with ${count(tables)} tables and ${count(changes)} changes`,
    header: ['request', 'p50 ms', 'p95 ms', 'most', 'kB', 'unfinished'],
    rows: routes.map(({ what, ms, bytes, unfinished }) => [
      what,
      ...[ms.p50, ms.p95, ms.most].map((each) => each.toFixed(0)),
      (bytes / 1_000).toFixed(1),
      String(unfinished),
    ]),
    notes: [
      `${routes[0]?.requests ?? 0} requests of each kind, one after the other and each with other values, from asking until the answer is read. The history has ${(historyBytes / 1e6).toFixed(0)} MB over thirty days.`,
      'Unfinished are answers of a search that ended when its time was used up: they say how far it came, and the next request goes on there.',
    ],
  }
}

const verdict = (isReached: boolean): string => (isReached ? 'reached' : '**missed**')

const count = (value: number): string => Math.round(value).toLocaleString('en-US')
