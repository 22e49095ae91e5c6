import type { Workload, WorkloadTable } from './workload.ts'

const columnsWith = (a: string): WorkloadTable['columns'] => [
  ['id', 'bigint'],
  ['a', a],
  ['s', 'text'],
  ['n', 'numeric(12,2)'],
  ['ts', 'timestamptz'],
  ['j', 'jsonb'],
  ['b', 'boolean'],
  ['u', 'text'],
]

const insertInto = (table: string, rows: number, a: string): string =>
  `insert into public.${table} (id, a, s, n, ts, j, b, u)
   select g, ${a}, md5(g::text) || md5((g + 1)::text), (g % 1000000) / 100.0, '2026-01-01'::timestamptz + g * interval '1 second',
     jsonb_build_object('k', g, 'v', 'value ' || g), g % 2 = 0, 'user ' || g
   from generate_series(1, ${rows}) g`

/** Five transactions of one table: inserts, updates of 60 % and 70 %, an update of a third, and deletes of a fifth. */
function* fiveTransactions(table: string, rows: number, a: string): Generator<string> {
  yield insertInto(table, rows, a)
  yield `update public.${table} set a = a + 1, s = md5(a::text) || md5(s), n = n + 1 where id <= ${Math.floor(rows * 0.6)}`
  yield `update public.${table} set ts = ts + interval '1 hour', b = not b, u = u || '.' where id > ${Math.floor(rows * 0.3)}`
  yield `update public.${table} set j = j || '{"x": 1}', n = n * 2 where id % 3 = 0`
  yield `delete from public.${table} where id % 5 = 0`
}

const changesOfFive = (rows: number): number =>
  rows + Math.floor(rows * 0.6) + (rows - Math.floor(rows * 0.3)) + Math.floor(rows / 3) + Math.floor(rows / 5)

/** One table of 8 columns. */
export const bench: Workload = {
  name: 'bench',
  summary: 'one table of 8 columns; inserts, updates of 60, 70 and 33 %, deletes of 20 %, a transaction each',
  rows: 100_000,
  tables: (prefix) => [{ name: `${prefix}_rows`, key: 'id', columns: columnsWith('int') }],
  transactions: (prefix, rows) => fiveTransactions(`${prefix}_rows`, rows, 'g::int'),
  changes: changesOfFive,
}

/** The same, with an integer in each row that a double cannot represent. */
export const largeIntegers: Workload = {
  ...bench,
  name: 'large-integers',
  summary: `${bench.summary}; one column holds integers from 2^53 on`,
  tables: (prefix) => [{ name: `${prefix}_rows`, key: 'id', columns: columnsWith('bigint') }],
  transactions: (prefix, rows) => fiveTransactions(`${prefix}_rows`, rows, '9007199254740993 + g'),
}

const TABLES = 50

/** The same, spread over 50 tables. */
export const manyTables: Workload = {
  ...bench,
  name: 'tables',
  summary: `${TABLES} tables of 8 columns; in each of them inserts, updates of 60, 70 and 33 %, deletes of 20 %`,
  tables: (prefix) => fifty(prefix).map((name) => ({ name, key: 'id', columns: columnsWith('int') })),
  *transactions(prefix, rows) {
    const ofEach = fifty(prefix).map((table) => [...fiveTransactions(table, Math.ceil(rows / TABLES), 'g::int')])
    for (let step = 0; step < 5; step++) yield ofEach.map((transactions) => transactions[step]!).join(';\n')
  },
  changes: (rows) => TABLES * changesOfFive(Math.ceil(rows / TABLES)),
}

const fifty = (prefix: string): string[] =>
  Array.from({ length: TABLES }, (_, n) => `${prefix}_rows_${String(n + 1).padStart(2, '0')}`)

/** Nothing but inserts, in one transaction. */
export const bulk: Workload = {
  ...bench,
  name: 'bulk',
  summary: 'one table of 8 columns; inserts alone, in one transaction',
  rows: 200_000,
  *transactions(prefix, rows) {
    yield insertInto(`${prefix}_rows`, rows, 'g::int')
  },
  changes: (rows) => rows,
}

const HOT_ROWS = 100

/** A few rows, each of them updated again and again. */
export const hot: Workload = {
  name: 'hot',
  summary: `${HOT_ROWS} rows that are all updated again and again, each time in a transaction of its own`,
  rows: 100_000,
  tables: (prefix) => [
    {
      ...{ name: `${prefix}_rows`, key: 'id' },
      columns: [
        ['id', 'bigint'],
        ['n', 'bigint'],
        ['note', 'text'],
      ],
    },
  ],
  *transactions(prefix, rows) {
    const table = `public.${prefix}_rows`
    yield `insert into ${table} select g, 0, 'row ' || g from generate_series(1, ${HOT_ROWS}) g`
    for (let time = 1; time < rows / HOT_ROWS; time++) {
      yield `update ${table} set n = n + 1, note = 'time ${time}' where id > 0`
    }
  },
  changes: (rows) => HOT_ROWS * Math.max(1, Math.ceil(rows / HOT_ROWS)),
}

const WIDE_COLUMNS = 100

/** Rows of 100 columns. */
export const wide: Workload = {
  name: 'wide',
  summary: `one table of ${WIDE_COLUMNS} columns; inserts, then an update of every row that changes three of them`,
  rows: 20_000,
  tables: (prefix) => [
    {
      ...{ name: `${prefix}_rows`, key: 'id' },
      columns: [['id', 'bigint'], ...wideColumns.map(({ name, type }) => [name, type] as const)],
    },
  ],
  *transactions(prefix, rows) {
    const table = `public.${prefix}_rows`
    const values = wideColumns.map(({ value }) => value).join(', ')
    yield `insert into ${table} select g, ${values} from generate_series(1, ${rows}) g`
    yield `update ${table} set c01 = c01 + 1, c02 = c02 || '.', c04 = not c04 where id > 0`
  },
  changes: (rows) => 2 * rows,
}

const wideTypes = [
  { type: 'int', value: 'g' },
  { type: 'text', value: `'text of row ' || g` },
  { type: 'numeric(12,2)', value: 'g / 4.0' },
  { type: 'boolean', value: 'g % 2 = 0' },
  { type: 'timestamptz', value: `'2026-01-01'::timestamptz + g * interval '1 second'` },
] as const

const wideColumns = Array.from({ length: WIDE_COLUMNS - 1 }, (_, n) => ({
  name: `c${String(n + 1).padStart(2, '0')}`,
  ...wideTypes[n % wideTypes.length]!,
}))
