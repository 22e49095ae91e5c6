import type { Equality } from '#core/console/equality.ts'
import { type BegunComparison, type Comparison, compareDatabases } from './compare-databases.ts'
import type { Row } from './row-differences.ts'
import type { RowDifference, TableComparison } from './table-comparison.ts'

/** Compares source and target for the console, one comparison at a time. */
export type ConsoleEquality = {
  /** Begins a comparison of these tables, or of all, and returns its state. A comparison that is under way goes on instead. */
  start(tables: readonly string[] | null): Promise<Equality>
  /** The comparison that is under way, or else the last one; null before the first. */
  state(): Equality | null
}

/** URLs of the databases, for the roles that `compareDatabases` asks for. */
export type EqualityOptions = {
  readonly source: string
  readonly target: string
  readonly now: () => Date
  readonly compare?: typeof compareDatabases
}

type TableState = Equality['tables'][number]

const WAIT_MS = 600_000
const MOST_DIFFERENCES = { ofTable: 20, ofAll: 200 }

/** Makes it for two databases. A comparison that fails says why. */
export function makeConsoleEquality({
  source,
  target,
  now,
  compare = compareDatabases,
}: EqualityOptions): ConsoleEquality {
  let equality: Equality | null = null
  const change = (changes: Partial<Equality>) => {
    equality = { ...equality!, ...changes }
  }
  const changeTable = (changed: TableState) =>
    change({ tables: equality!.tables.map((each) => (each.table === changed.table ? changed : each)) })

  const run = async (wanted: readonly string[] | null): Promise<void> => {
    let left = MOST_DIFFERENCES.ofAll
    try {
      const comparison = await compare({
        ...{ source, target, waitMs: WAIT_MS, examples: MOST_DIFFERENCES.ofTable },
        ...(wanted === null ? {} : { only: (name: string) => wanted.includes(name) }),
        onVisible: (begun) => change({ state: 'comparing', asOf: begun.asOf, tables: statesAtFirst(begun, wanted) }),
        onCompared: (table) => {
          changeTable(stateOf(table, equality!.asOf, left))
          left = Math.max(0, left - table.examples.length)
        },
      })
      change({ state: 'done', tables: statesAtLast(equality!, comparison) })
    } catch (error) {
      change({ state: 'failed', why: (error as Error).message })
    }
  }
  return {
    start: async (tables) => {
      if (equality?.state === 'waiting' || equality?.state === 'comparing') return equality
      equality = { state: 'waiting', beganAt: now().toISOString(), asOf: null, why: null, tables: [] }
      void run(tables)
      return equality
    },
    state: () => equality,
  }
}

const notYet = { asOf: null, rows: null, why: null, differences: [] } as const

const notCompared = (table: string, why: string): TableState => ({ ...notYet, table, state: 'not compared', why })

/** The tables before the first is compared. Those that will not be compared say why. */
function statesAtFirst(
  { tables, stopped, uncaptured }: BegunComparison,
  wanted: readonly string[] | null,
): TableState[] {
  const known = [
    ...tables.map((table): TableState => ({ ...notYet, table, state: 'waiting' })),
    ...stopped.map(({ name, reason }) => notCompared(name, `it is stopped: ${reason}`)),
    ...uncaptured.map(({ name, why }) => notCompared(name, `it is not captured: ${why}`)),
  ]
  const unknown = (wanted ?? []).filter((name) => !known.some(({ table }) => table === name))
  const all = [...known, ...unknown.map((name) => notCompared(name, 'the source captures no table of this name'))]
  return all.filter(({ table }, index) => all.findIndex((each) => each.table === table) === index)
}

/** The tables at the end: one that was dropped meanwhile has no result, and others are in the target only. */
function statesAtLast({ tables }: Equality, { onlyInTarget }: Comparison): TableState[] {
  const ended = tables.map((table) =>
    table.state === 'waiting' ? notCompared(table.table, 'it was dropped in the source meanwhile') : table,
  )
  return [
    ...ended.filter(({ table }) => !onlyInTarget.includes(table)),
    ...onlyInTarget.map(
      (name): TableState => ({
        ...{ ...notYet, table: name, state: 'different' },
        why: 'the target shows it, and the source has no such table',
      }),
    ),
  ]
}

function stateOf(comparison: TableComparison, asOf: string | null, mostExamples: number): TableState {
  const { table, sourceRows, targetRows, differing, changing, problem, examples } = comparison
  const why = problem ?? whyDifferent({ targetRows, differing, changing })
  return {
    ...{ table, asOf, rows: sourceRows, why: why ?? null },
    state: problem !== undefined ? 'not compared' : why === undefined ? 'equal' : 'different',
    differences: examples.slice(0, mostExamples).map((each) => describe(comparison, each)),
  }
}

function whyDifferent({
  targetRows,
  differing,
  changing,
}: Pick<TableComparison, 'targetRows' | 'differing' | 'changing'>) {
  if (targetRows === null) return 'the target does not have it'
  const parts = [
    ...(differing > 0 ? [`${differing} ${differing === 1 ? 'row differs' : 'rows differ'}`] : []),
    // Such rows are neither equal nor different, and another comparison may find them at rest.
    ...(changing > 0 ? [`${changing} ${changing === 1 ? 'row' : 'rows'} changed at every look`] : []),
  ]
  return parts.length === 0 ? undefined : parts.join(', ')
}

const MOST_COLUMNS = 20
const MOST_TEXT = 200

/** A row of each side as lines of `column = value`: the columns that differ, or all of a row that one side lacks. */
function describe({ columns, keyColumns }: TableComparison, { key, source, target, times }: RowDifference) {
  const shown = columns
    .map((_, place) => place)
    .filter((place) => source === undefined || target === undefined || source[place] !== target[place])
    // Rows without a key differ in how often they are there, and not in their columns.
    .concat(times === undefined ? [] : columns.map((_, place) => place))
    .filter((place, index, all) => all.indexOf(place) === index)
    .slice(0, MOST_COLUMNS)
  const write = (row: Row | undefined) =>
    row === undefined ? null : shown.map((place) => `${columns[place]} = ${cut(row[place] ?? null)}`).join('\n')
  return {
    key:
      times === undefined
        ? keyColumns.map((column, index) => `${column} = ${cut(key[index] ?? null)}`).join(', ')
        : `${times.source} in the source, ${times.target} in the target`,
    source: write(source),
    target: write(target),
  }
}

const cut = (value: string | null): string =>
  value === null ? 'NULL' : value.length > MOST_TEXT ? `${value.slice(0, MOST_TEXT)}…` : value
