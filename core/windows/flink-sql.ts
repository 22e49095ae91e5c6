import type { ColumnContract, TableContract } from '../contract.ts'
import type { NamedExpression, WindowDefinition } from './definition.ts'
import { type FlinkType, flinkTypeOf, timestamp } from './flink-types.ts'
import { readSqlTokens, type SqlToken } from './sql-tokens.ts'

/** What a job needs to know beside the definition. */
export type FlinkSurroundings = {
  /** `host:port,…` of the brokers. */
  readonly brokers: string
  /** The topic of captured changes. */
  readonly changes: string
  /** Properties of the Kafka client, such as `security.protocol`. */
  readonly client: Readonly<Record<string, string>>
}

export type FlinkJob =
  | { readonly kind: 'compiled'; readonly sql: string; readonly topic: string }
  | { readonly kind: 'refused'; readonly reasons: readonly string[] }

/**
 * The statements of a Flink job (1.19 or later) that computes a definition from the topic of changes, and writes it to
 * `<topic>-flink`, a compacted topic with the keys and values of the topic that Tidemark publishes to. A definition is
 * refused where Flink would compute something else, as far as that is known: docs/windows-flink.md says what differs.
 */
export function compileFlinkJob(
  definition: WindowDefinition,
  contract: TableContract,
  surroundings: FlinkSurroundings,
): FlinkJob {
  const columns = contract.columns.map((column) => ({ column, type: flinkTypeOf(column) }))
  const reasons = [
    ...refusalsOfTable(definition, contract),
    ...refusalsOfWindow(definition),
    ...refusalsOfSql(definition, columns),
  ]
  if (reasons.length > 0) return { kind: 'refused', reasons }
  const topic = `${definition.publish ?? definition.name}-flink`
  const statements = [
    ...settings(definition),
    sourceTable(definition, columns, surroundings),
    rowsView(columns),
    sinkTable(definition, topic, surroundings),
    insertion(definition),
  ]
  return { kind: 'compiled', sql: `${heading(definition)}\n${statements.join(';\n\n')};\n`, topic }
}

type FlinkColumn = { readonly column: ColumnContract; readonly type: FlinkType | undefined }

function refusalsOfTable({ source }: WindowDefinition, { replicaIdentity, dropped }: TableContract): string[] {
  const table = `${source.schema}.${source.table}`
  if (dropped) return [`${table} was dropped`]
  if (replicaIdentity === 'full') return []
  return [
    `Flink takes back what a row counted before it was updated or deleted, and ${table} sends that only with replica identity full: alter table ${table} replica identity full`,
  ]
}

function refusalsOfWindow({ window: { sizeMicros, slideMicros }, boundMicros }: WindowDefinition): string[] {
  const reasons: string[] = []
  if (sizeMicros % slideMicros !== 0n) reasons.push('in Flink a window lasts for a multiple of what it hops by')
  if ([sizeMicros, slideMicros, boundMicros].some((micros) => micros % 1_000_000n !== 0n)) {
    reasons.push('windows and watermark have whole seconds here')
  }
  return reasons
}

/** Functions and keywords that mean the same in Postgres and in Flink. */
const SAME_WORDS = new Set(
  `and or not is null true false distinct from between in case when then else end as filter where cast
  count sum min max coalesce nullif abs ceil floor upper lower char_length trim
  smallint integer bigint boolean double precision decimal date timestamp`.split(/\s+/),
)

const SAME_SIGNS = new Set(['(', ')', ',', '.', '+', '-', '*', '=', '<>', '<', '<=', '>', '>=', '||'])

/**
 * Only what is known to mean the same is compiled. Division is not, because Flink's has another type, and neither are
 * greatest and least, which are null there when one value is.
 */
function refusalsOfSql(definition: WindowDefinition, columns: readonly FlinkColumn[]): string[] {
  const known = new Map(columns.map(({ column, type }) => [column.name, type]))
  const reasons = new Set<string>()
  const eventTime = columns.find(({ column }) => column.name === definition.eventTime)
  if (eventTime?.type === undefined || !/^(?:timestamp|date)/.test(eventTime.column.carried)) {
    reasons.add(`the event time ${definition.eventTime} is no timestamp or date of the table`)
  }
  for (const { value, kind } of tokensOf(definition)) {
    if (kind === 'number' || value === definition.source.table) continue
    if (kind === 'word' && SAME_WORDS.has(value)) continue
    if (kind === 'text' && value.startsWith("'") && !value.includes('\\')) continue
    if (kind === 'sign' && SAME_SIGNS.has(value)) continue
    if (kind === 'word' || kind === 'name') {
      if (known.get(value) !== undefined) continue
      reasons.add(
        known.has(value)
          ? `the column ${value} has a type that is not read here`
          : `${value} may be something else in Flink than in Postgres`,
      )
    } else reasons.add(`${value} may be something else in Flink than in Postgres`)
  }
  return [...reasons]
}

function tokensOf({ keys, aggregates, where, having }: WindowDefinition): readonly SqlToken[] {
  const parts = [...keys, ...aggregates].map(({ sql }) => sql)
  return [...parts, where ?? '', having ?? ''].flatMap(readSqlTokens)
}

/** The same SQL with names quoted as Flink quotes them. What follows was checked by `refusalsOfSql`. */
function flinkExpression(sql: string, { source }: WindowDefinition): string {
  const tokens = readSqlTokens(sql)
  return tokens
    .map(({ kind, value, from }, index) => {
      const before = tokens[index - 1]
      const gap = before !== undefined && before.to < from ? ' ' : ''
      const isName = kind === 'name' || (kind === 'word' && !SAME_WORDS.has(value))
      return `${gap}${isName ? quote(value === source.table ? ROWS : value) : value}`
    })
    .join('')
}

const quote = (name: string): string => `\`${name.replaceAll('`', '``')}\``
const text = (value: string): string => `'${value.replaceAll("'", "''")}'`

/** `INTERVAL '90' MINUTE`, with the greatest unit that gives a whole number. */
function interval(micros: bigint): string {
  const [unit, each] = (
    [
      ['DAY', 86_400_000_000n],
      ['HOUR', 3_600_000_000n],
      ['MINUTE', 60_000_000n],
      ['SECOND', 1_000_000n],
    ] as const
  ).find(([name, size]) => name === 'SECOND' || (micros > 0n && micros % size === 0n))!
  const count = String(micros / each)
  return `INTERVAL '${count}' ${unit}${count.length > 2 ? `(${count.length})` : ''}`
}

const ROWS = 'tidemark_rows'
const CHANGES = 'tidemark_changes'
const RESULT = 'tidemark_result'
const EVENT_TIME = 'event_time_of_tidemark'

const heading = ({ name, emit, lateRows, allowedLatenessMicros }: WindowDefinition): string =>
  [
    `-- Made from windows/${name}.sql.`,
    ...(emit === 'on update'
      ? ['-- A window is written once, when the watermark passes its end, and not before.']
      : []),
    ...(allowedLatenessMicros > 0n ? ['-- Windows close without the allowed lateness.'] : []),
    `-- Late rows are dropped${lateRows === 'count' ? ', and not counted' : ', and not set aside'}.`,
  ].join('\n')

const settings = ({ idleAfterMicros }: WindowDefinition): string[] => [
  `SET 'table.local-time-zone' = 'UTC'`,
  `SET 'table.exec.source.idle-timeout' = '${idleAfterMicros / 1000n} ms'`,
]

function kafka({ brokers, client }: FlinkSurroundings): string[] {
  return [
    `'properties.bootstrap.servers' = ${text(brokers)}`,
    ...Object.entries(client).map(([name, value]) => `${text(`properties.${name}`)} = ${text(value)}`),
  ]
}

/**
 * Records of other tables are in the topic, too. They have no event time, so that they do not move the watermark, and
 * the view leaves them out. A row that is too far ahead of its commit has none either.
 */
function sourceTable(
  { name, eventTime, boundMicros, futureAfterMicros, source }: WindowDefinition,
  columns: readonly FlinkColumn[],
  surroundings: FlinkSurroundings,
): string {
  const { type } = columns.find(({ column }) => column.name === eventTime)!
  const read = type!.read(quote(eventTime))
  const moment = type === timestamp ? read : `CAST(${read} AS TIMESTAMP(3))`
  const ofTable = `tidemark_table = ${text(source.table)} AND tidemark_schema = ${text(source.schema)}`
  const ahead =
    futureAfterMicros === undefined
      ? ''
      : ` AND ${moment} <= CAST(tidemark_committed_at AS TIMESTAMP(3)) + ${interval(futureAfterMicros)}`
  const declared = [
    ...columns.flatMap(({ column, type }) => (type === undefined ? [] : [`${quote(column.name)} ${type.wire}`])),
    `tidemark_schema STRING METADATA FROM 'value.source.schema' VIRTUAL`,
    `tidemark_table STRING METADATA FROM 'value.source.table' VIRTUAL`,
    `tidemark_committed_at TIMESTAMP_LTZ(3) METADATA FROM 'value.source.timestamp' VIRTUAL`,
    `${EVENT_TIME} AS CASE WHEN ${ofTable}${ahead} THEN ${moment} END`,
    `WATERMARK FOR ${EVENT_TIME} AS ${EVENT_TIME} - ${interval(boundMicros)}`,
  ]
  const options = [
    `'connector' = 'kafka'`,
    `'topic' = ${text(surroundings.changes)}`,
    ...kafka(surroundings),
    `'properties.group.id' = ${text(`tidemark-flink-${name}`)}`,
    `'scan.startup.mode' = 'earliest-offset'`,
    // By default the watermark advances each 200 ms, and which rows are late depends on how fast the job reads.
    `'scan.watermark.emit.strategy' = 'on-event'`,
    `'value.format' = 'debezium-json'`,
    // Control records of the topic are no envelopes.
    `'value.debezium-json.ignore-parse-errors' = 'true'`,
  ]
  return `CREATE TABLE ${CHANGES} (\n  ${declared.join(',\n  ')}\n) WITH (\n  ${options.join(',\n  ')}\n)`
}

function rowsView(columns: readonly FlinkColumn[]): string {
  const read = columns.flatMap(({ column, type }) => {
    if (type === undefined) return []
    const name = quote(column.name)
    const value = type.read(name)
    return [value === name ? name : `${value} AS ${name}`]
  })
  return `CREATE TEMPORARY VIEW ${ROWS} AS
SELECT
  ${[...read, EVENT_TIME].join(',\n  ')}
FROM ${CHANGES}
WHERE ${EVENT_TIME} IS NOT NULL`
}

function sinkTable({ name }: WindowDefinition, topic: string, surroundings: FlinkSurroundings): string {
  const options = [
    `'connector' = 'upsert-kafka'`,
    `'topic' = ${text(topic)}`,
    ...kafka(surroundings),
    `'key.format' = 'raw'`,
    `'value.format' = 'raw'`,
    `'value.fields-include' = 'EXCEPT_KEY'`,
    `'sink.delivery-guarantee' = 'exactly-once'`,
    `'sink.transactional-id-prefix' = ${text(`tidemark-flink-${name}`)}`,
  ]
  const columns = ['record_key STRING NOT NULL', 'record_value STRING', 'PRIMARY KEY (record_key) NOT ENFORCED']
  return `CREATE TABLE ${RESULT} (\n  ${columns.join(',\n  ')}\n) WITH (\n  ${options.join(',\n  ')}\n)`
}

/** Keys and values are JSON texts, so that a group key may be null, which a column of a primary key may not. */
function insertion(definition: WindowDefinition): string {
  const { keys, aggregates, where, having, window } = definition
  const sql = ({ sql: given }: NamedExpression) => flinkExpression(given, definition)
  const groups = keys.map((key) => `${sql(key)} AS ${quote(key.alias)}`)
  const from = where === undefined ? ROWS : `filtered`
  const filtered =
    where === undefined
      ? ''
      : `CREATE TEMPORARY VIEW filtered AS SELECT * FROM ${ROWS} WHERE ${flinkExpression(where, definition)};\n\n`
  const { sizeMicros, slideMicros } = window
  const windows =
    sizeMicros === slideMicros
      ? `TUMBLE(TABLE ${from}, DESCRIPTOR(${EVENT_TIME}), ${interval(sizeMicros)})`
      : `HOP(TABLE ${from}, DESCRIPTOR(${EVENT_TIME}), ${interval(slideMicros)}, ${interval(sizeMicros)})`
  const grouped = ['window_start', 'window_end', ...keys.map(sql)]
  const moments = (names: readonly string[]) =>
    names.map((name) => `${text(name)} VALUE DATE_FORMAT(${name}, 'yyyy-MM-dd''T''HH:mm:ss')`)
  const values = (items: readonly NamedExpression[]) => items.map(({ alias }) => `${text(alias)} VALUE ${quote(alias)}`)
  const json = (parts: readonly string[]) => `JSON_OBJECT(${parts.join(', ')} NULL ON NULL)`
  return `${filtered}INSERT INTO ${RESULT}
SELECT
  ${json([...moments(['window_start']), ...values(keys)])},
  ${json([...moments(['window_start', 'window_end']), ...values(keys), ...values(aggregates)])}
FROM (
  SELECT
    ${['window_start', 'window_end', ...groups, ...aggregates.map((item) => `${sql(item)} AS ${quote(item.alias)}`)].join(',\n    ')}
  FROM TABLE(${windows}) AS ${ROWS}
  GROUP BY ${grouped.join(', ')}${having === undefined ? '' : `\n  HAVING ${flinkExpression(having, definition)}`}
)`
}
