import type { Status } from '#core/status/status.ts'
import { cutText, visibleText, wrapText } from '#terminal/display-width.ts'
import type { ScreenLine, ScreenSize } from '#terminal/live-screen.ts'
import type { Style } from '#terminal/style.ts'
import {
  type Detail,
  describeRun,
  renderComponents,
  renderFlow,
  renderHeader,
  renderTables,
  summarizeComponents,
} from './screen-parts.ts'
import { countRows, problemsOf, renderProblems, summarizeProblems } from './screen-problems.ts'

/** The lines below the status. `console` is the address of the console, or why it does not run. */
export type ScreenFooter = { source: string; reader: string; console?: string; feed?: string; hint?: string }

/** What the footer says about the console; nothing before it is started. */
export const describeConsole = (
  state: { readonly url: string; readonly problem: string | null } | null | undefined,
): Pick<ScreenFooter, 'console'> => {
  if (state === null || state === undefined) return {}
  return { console: state.problem === null ? state.url : `${state.url} does not answer: ${state.problem}` }
}

/** The size of the screen and its colours. With a height of Infinity everything is shown. */
export type ScreenOptions = ScreenSize & { style: Style }

/** The size of a usual terminal, into which everything important fits. */
export const leastSize: ScreenSize = { width: 80, height: 24 }

const invokeExample = `npm run invoke -- producer '{"mode":"rows","seconds":10,"eventsPerSecond":50}'`

/**
 * The layouts from the largest to the smallest screen. With `isTight`, working components are only counted. `tables` is
 * the smallest number of tables that are shown.
 */
const layouts: readonly { detail: Detail; isTight: boolean; isSpaced: boolean; tables: number }[] = [
  { detail: 'all', isTight: false, isSpaced: true, tables: 6 },
  { detail: 'all', isTight: true, isSpaced: true, tables: 4 },
  { detail: 'short', isTight: true, isSpaced: true, tables: 4 },
  { detail: 'short', isTight: true, isSpaced: false, tables: 3 },
  { detail: 'least', isTight: true, isSpaced: false, tables: 2 },
]

/**
 * The status as lines of a screen: problems, then figures, tables, and the URLs of the databases. It takes no more rows
 * than the screen has, and says how many entries are left out. On a screen smaller than 80 × 24 it says that it is too
 * small.
 */
export function renderStatus(status: Status, footer: ScreenFooter, options: ScreenOptions): ScreenLine[] {
  if (options.width < leastSize.width || options.height < leastSize.height) return renderTooSmall(status, options)
  const wanted = layouts.map((layout) => arrange(status, footer, options, layout))
  return (wanted.find((arranged) => arranged.fits) ?? wanted.at(-1)!).lines
}

/** The lines of a layout, and whether all problems are shown in full. The last layout always fits. */
function arrange(
  status: Status,
  footer: ScreenFooter,
  { width, height, style }: ScreenOptions,
  { detail, isTight, isSpaced, tables: leastTables }: (typeof layouts)[number],
): { fits: boolean; lines: ScreenLine[] } {
  const { components, tables } = status
  const problem = summarizeProblems(status)
  const header = renderHeader(describeHead(status, problem, isTight ? footer.hint : undefined), problem, style)
  const below = [
    renderFlow(status, footer.feed, detail, style),
    isTight ? summarizeComponents(components, style) : renderComponents(components, width, style),
  ]
  const last = renderFooter(footer, queryOf(status), isTight, width, style)
  const problems = problemsOf(status)
  const gaps = isSpaced ? (problems.length > 0 ? 5 : 4) : 0
  const tableRows = 1 + Math.min(leastTables, Math.max(1, tables.length))
  const fixed = countRows([header, ...below.flat(), ...last], width) + gaps
  const room = height - fixed - tableRows
  const wrong = renderProblems(problems, Math.max(1, room), width, style)
  const left = height - fixed - countRows(wrong.lines, width) - 1
  const parts = [[header], wrong.lines, ...below, renderTables(tables, Math.max(1, left), width, style), last]
  return { fits: room >= 0 && wrong.isWhole, lines: join(parts, isSpaced, width) }
}

function join(parts: ScreenLine[][], isSpaced: boolean, width: number): ScreenLine[] {
  return parts
    .filter((part) => part.length > 0)
    .flatMap((part, index) => (isSpaced && index > 0 ? ['', ...part] : part))
    .map((line) => (typeof line === 'string' ? cutText(line, width) : line))
}

/** A hint without a line of its own replaces less useful text. */
function describeHead(status: Status, problem: string | undefined, hint: string | undefined): string {
  if (hint === undefined) return describeRun(status)
  return problem === undefined ? `${describeRun(status)}, ${hint}` : hint
}

/** A query of the newest windows of a definition, for the target. */
function queryOf({ windows }: Status): string | undefined {
  const shown = windows.find(({ state }) => state === 'shown')
  return shown && `select * from tidemark_windows.${shown.name} order by window_start desc limit 10;`
}

/** The commands are never cut. If they do not fit beside their labels, each has a line of its own. */
function renderFooter(
  { source, reader, console, hint }: ScreenFooter,
  query: string | undefined,
  isTight: boolean,
  width: number,
  style: Style,
) {
  const commands: [string, string][] = [
    ['source', `psql '${source}'`],
    ['target', `psql '${reader}'`],
    ...(console === undefined ? [] : ([['console', visibleText(console)]] as [string, string][])),
    ...(isTight || query === undefined ? [] : ([['query', query]] as [string, string][])),
    ...(isTight ? [] : ([['try', invokeExample]] as [string, string][])),
  ]
  const longest = Math.max(...commands.map(([label]) => label.length))
  const labelled = commands.map(([label, command]) => ({ whole: `${style.label(label.padEnd(longest))}  ${command}` }))
  const isFitting = countRows(labelled, width) === labelled.length
  const lines: ScreenLine[] = isFitting ? labelled : commands.map(([, command]) => ({ whole: command }))
  return hint === undefined || isTight ? lines : [...lines, style.label(hint)]
}

/** The problems are shown even on the smallest screen. */
function renderTooSmall(status: Status, { width, height, style }: ScreenOptions): ScreenLine[] {
  const { width: columns, height: rows } = leastSize
  const advice = `The screen takes ${columns} × ${rows} characters, this terminal has ${width} × ${height}: make it larger, or run npm run status in another one.`
  const state = summarizeProblems(status)
  return [
    ...wrapText(state ?? 'Everything runs.', width).map(state === undefined ? style.good : style.bad),
    ...wrapText(advice, width),
    ...problemsOf(status).map(({ name, text }) => cutText(visibleText(`● ${name}  ${text}`), width)),
  ].slice(0, height)
}
