import type { RecordedAction } from '#core/console/actions.ts'
import type { ArchiveView, QueryResult, WindowSeries } from '#core/console/archive.ts'
import type { ConnectorDetail, Inspection } from '#core/console/connectors.ts'
import type { Equality } from '#core/console/equality.ts'
import { hostile } from './hostile-names.ts'
import { standInStatus, tableNames } from './stand-in-status.ts'

const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString()

const trace = `org.apache.kafka.connect.errors.ConnectException: Error while processing event at offset {lsn=23934792}
${Array.from({ length: 24 }, (_, i) => `\tat io.debezium.pipeline.EventDispatcher.dispatch(EventDispatcher.java:${200 + i})`).join('\n')}
Caused by: java.lang.IllegalStateException: slot "tidemark_3" does not exist`

export function standInConnectors(isWrong: boolean): readonly ConnectorDetail[] {
  const offsets = [
    JSON.stringify({ partition: { server: 'tidemark_3' }, offset: { lsn: 23934792, txId: 771 } }, null, 2),
  ]
  const connector = (name: string, isOwn: boolean, state: string): ConnectorDetail => ({
    ...{ name, isOwn, state, class: 'io.debezium.connector.postgresql.PostgresConnector', trace: null, offsets },
    tasks: [{ id: 0, state, trace: state === 'FAILED' ? trace : null }],
    configuration: {
      ...{ 'connector.class': 'io.debezium.connector.postgresql.PostgresConnector', 'database.hostname': '127.0.0.1' },
      ...{ 'database.password': '••••••', 'table.include.list': tableNames.slice(0, 12).join(','), 'tasks.max': '1' },
    },
  })
  return [
    connector('tidemark', true, isWrong ? 'FAILED' : 'RUNNING'),
    connector('shop', false, 'PAUSED'),
    connector(`sink-of-${hostile.long}`, false, 'RUNNING'),
  ]
}

export const standInInspection = (): Inspection => ({
  server: 'PostgreSQL 17.2 on x86_64-pc-linux-gnu',
  findings: [
    {
      severity: 'error',
      what: 'wal_level is replica, and has to be logical',
      sql: "alter system set wal_level = 'logical'",
    },
    {
      severity: 'warning',
      what: 'max_slot_wal_keep_size is not set, so a slot may fill the disk',
      sql: "alter system set max_slot_wal_keep_size = '64GB'",
    },
    { severity: 'note', what: 'the database has 2.400 tables', sql: null },
  ].filter(({ severity }) => severity !== 'error') as Inspection['findings'],
  schemas: ['public', 'billing'].map((name) => ({
    name,
    tables: Array.from({ length: 1_200 }, (_, i) => ({
      ...{ name: i === 0 ? hostile.markup : `table_${i}`, rows: i * 17, hasKey: i % 9 !== 4 },
      columns: ['id', 'name', 'amount', hostile.long].map((column, index) => ({
        name: column,
        type: index === 0 ? 'bigint' : 'text',
        isKey: index === 0,
      })),
    })),
  })),
})

export const standInArchive = (): ArchiveView => ({
  now: standInStatus('well', Date.now()).archive!,
  table: 'tidemark.archive',
  location: 's3://tidemark-local-archive/warehouse/tidemark/archive',
  snapshots: Array.from({ length: 40 }, (_, i) => ({
    ...{
      id: String(8_112_233_445_566_778_899n - BigInt(i)),
      at: ago(i * 61),
      operation: i % 9 === 8 ? 'replace' : 'append',
    },
    ...{ addedRecords: String(120 + i), totalRecords: String(6_903_112 - i * 120), totalFiles: String(412 - i) },
  })),
  files: Array.from({ length: 60 }, (_, i) => ({
    ...{
      path: `s3://tidemark-local-archive/warehouse/tidemark/archive/data/day=2026-11-30/changes-${i}-0190f3c2-77aa-7e11-9c3a-1b2c3d4e5f60.parquet`,
    },
    ...{ bytes: 52_428_800 - i * 400_000, records: 412_000 - i * 3_000, partition: `day=2026-11-${30 - (i % 20)}` },
  })),
})

export const standInQuery = (): QueryResult => ({
  columns: [
    { name: 'table', type: 'VARCHAR' },
    { name: 'op', type: 'VARCHAR' },
    { name: 'count', type: 'BIGINT' },
    { name: 'value', type: 'VARCHAR' },
  ],
  rows: Array.from({ length: 80 }, (_, i) => [
    tableNames[i % 9]!,
    'u',
    String(9_007_199_254_740_993n + BigInt(i)),
    i % 3 === 0 ? null : hostile.controls,
  ]),
  isCut: false,
  tookMs: 412,
})

export function standInSeries(name: string, measure: string | null): WindowSeries {
  const starts = Array.from({ length: 72 }, (_, i) =>
    new Date(Date.UTC(2023, 11, 1, i)).toISOString().slice(0, 19).replace('T', ' '),
  )
  const line = (group: string, size: number) => ({
    group,
    values: starts.map((_, i) => (i % 41 === 40 ? null : Math.round(size * (1 + Math.sin(i / 4 + size)) * 100) / 100)),
  })
  const groups = ['East Harlem North', 'Midwood', 'Forest Hills', hostile.markup, 'Astoria']
  return {
    ...{ name, measures: ['trips', 'earnings'], groupedBy: ['zone'], starts },
    lines: [
      line('all', measure === 'earnings' ? 4_000 : 300),
      ...groups.map((group, index) => line(group, 90 - index * 15)),
    ],
    newest: Array.from({ length: 30 }, (_, i) => ({
      ...{
        window_start: starts[71 - i]!,
        window_end: starts[71 - i]!,
        zone: groups[i % 5]!,
        trips: String(20 + i),
        earnings: '412.10',
      },
      ...{ last_ride: null, state: i < 4 ? 'open' : i % 7 === 0 ? 'revised' : 'final' },
    })),
  }
}

export function standInEquality(scene: string): Equality | null {
  if (scene === 'empty') return null
  const isWrong = scene === 'wrong'
  return {
    ...{ state: 'done', beganAt: ago(90), asOf: ago(84), why: null },
    tables: tableNames.slice(0, 12).map((table, index) => ({
      ...{ table, asOf: ago(80 - index), rows: (index + 1) * 40_213 },
      state: isWrong && index === 2 ? 'different' : index === 5 ? 'not compared' : 'equal',
      why: index === 5 ? 'it is being snapshotted' : null,
      differences: isWrong && index === 2 ? differences : [],
    })),
  }
}

const differences = [
  { key: '{"id": 7}', source: '(7,open,12.10,"Długa 4")', target: '(7,open,12.01,"Długa 4")' },
  { key: '{"id": 8}', source: `(8,paid,1.00,"${hostile.override}")`, target: null },
  { key: '{"id": 9}', source: null, target: '(9,returned,3.00,)' },
]

export const standInActions = (): readonly RecordedAction[] =>
  Array.from({ length: 12 }, (_, i) => ({
    ...{ id: String(i), at: ago(i * 700), who: i % 3 === 0 ? hostile.override : 'ana@shop.example' },
    action: (['table.resync', 'quarantine.discard', 'connector.restart'] as const)[i % 3]!,
    target: ['public.orders', 'changes-2@17', 'tidemark'][i % 3]!,
    reason: i % 3 === 1 ? 'the customer was merged into another one, so its old lines are of no use' : null,
    outcome: (['done', 'done', 'running', 'refused', 'failed'] as const)[i % 5]!,
    result: i % 5 === 3 ? 'public.orders is being snapshotted already' : i % 5 === 2 ? null : 'done',
  }))
