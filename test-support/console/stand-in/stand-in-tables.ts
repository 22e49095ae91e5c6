import type { ShownProblem } from '#core/console/overview.ts'
import type { QuarantinedDetail } from '#core/console/quarantine.ts'
import type { ListedTable, TableDetail } from '#core/console/tables.ts'
import { hostile } from './hostile-names.ts'
import { type Scene, standInStatus } from './stand-in-status.ts'
import { standInRecord } from './stand-in-topics.ts'

const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString()

export function listedTables(scene: Scene): readonly ListedTable[] {
  return standInStatus(scene, Date.now()).tables.map((table, index) => ({
    ...table,
    state:
      index === 2 && scene === 'wrong'
        ? 'stopped'
        : index === 6
          ? 'not captured'
          : index === 3
            ? 'snapshotting'
            : table.state,
    changes: index % 5 === 4 ? null : { inserts: 1_204 * index, updates: 88_112 * index, deletes: index },
    reason:
      index === 2 && scene === 'wrong'
        ? 'a change of the row {"id": 7} cannot be applied: the value 12,10 of amount is no numeric'
        : index === 6
          ? 'its replica identity is nothing, so that updates do not name their row'
          : null,
    quarantined: index === 2 && scene === 'wrong' ? 17 : 0,
  }))
}

export function tableDetail(scene: Scene, name: string): TableDetail | null {
  const table = listedTables(scene).find((each) => each.name === name)
  if (table === undefined) return null
  const columns = ['id', 'state', 'amount', 'note', hostile.long].map((column, index) => ({
    ...{
      name: column,
      type: ['bigint', 'text', 'numeric(38,18)', 'text', 'timestamp with time zone'][index]!,
      isKey: index === 0,
      isNullable: index > 2,
    },
  }))
  return {
    table,
    contracts: [
      {
        version: 3,
        epoch: 3,
        at: ago(90_000),
        table: name,
        columns,
        differences: ['column note (text) was added', 'column amount changed from numeric(10,2) to numeric(38,18)'],
        effect: 'new generation',
      },
      {
        version: 2,
        epoch: 2,
        at: ago(900_000),
        table: 'public.sales',
        columns: columns.slice(0, 4),
        differences: ['column status was renamed to state'],
        effect: 'in place',
      },
      {
        version: 1,
        epoch: 1,
        at: null,
        table: 'public.sales',
        columns: columns.slice(0, 3),
        differences: [],
        effect: 'first',
      },
    ],
    history: { isKept: true, retention: '30 days' },
    indexes: [
      { name: 'orders_by_state', definition: 'create index on (lower(state), id desc)', problem: null },
      { name: 'orders_by_customer', definition: '(customer)', problem: 'the table has no column customer' },
    ],
    cures:
      table.state === 'stopped'
        ? [
            {
              reason: table.reason!,
              does: 'reads all rows of the table again while changes go on',
              command: `npm run resync -- ${name}`,
              sql: null,
              action: { name: 'table.resync', target: name },
            },
            {
              reason: table.reason!,
              does: 'applies the records that wait, once the cause is gone',
              command: `npm run accept -- ${name}`,
              sql: null,
              action: { name: 'table.accept', target: name },
            },
          ]
        : [],
  }
}

export function standInProblems(scene: Scene): readonly ShownProblem[] {
  if (scene !== 'wrong') return []
  return [
    {
      ...{
        severity: 'stopped',
        what: 'capture',
        why: 'the replication slot tidemark_3 is gone: somebody dropped it',
        since: ago(312),
      },
      ...{
        follows: 'Nothing is captured. Readers see the rows as they were at 14:05.',
        command: 'npm run recover',
        sql: null,
      },
      ...{ action: { name: 'capture.recover', target: 'all' }, path: '/connectors' },
    },
    {
      ...{
        severity: 'stopped',
        what: 'public.orders',
        why: 'a change of the row {"id": 7} cannot be applied: the value 12,10 of amount is no numeric',
        since: ago(1_900),
      },
      ...{
        follows: 'Its records wait in quarantine, in order. All other tables go on.',
        command: 'npm run resync -- public.orders',
        sql: null,
      },
      ...{ action: { name: 'table.resync', target: 'public.orders' }, path: '/tables/public.orders' },
    },
    {
      ...{ severity: 'failing', what: `public.${hostile.long}`, why: hostile.controls + hostile.override, since: null },
      ...{ follows: 'It is tried again every minute.', command: null, sql: null, action: null, path: null },
    },
    {
      ...{
        severity: 'attention',
        what: `public.${hostile.wide}`,
        why: 'its replica identity is nothing, so that updates do not name their row',
        since: ago(8_000),
      },
      ...{ follows: 'It is not captured. All other tables are.', command: null, action: null, path: null },
      sql: `alter table public."${hostile.wide}" replica identity full;\nselect tidemark.capture('public."${hostile.wide}"');`,
    },
    {
      severity: 'attention',
      what: 'windows earnings_by_hour',
      why: 'a row has no event time',
      follows: '',
      since: ago(60),
      command: 'npm run windows -- rebuild earnings_by_hour',
      sql: null,
      action: null,
      path: '/windows',
    },
  ]
}

export function quarantinedDetails(scene: Scene): readonly QuarantinedDetail[] {
  if (scene !== 'wrong') return []
  return Array.from({ length: 17 }, (_, i) => {
    const record = standInRecord('changes', 2, 17 + i * 10 + 1)
    return {
      ...{
        place: `changes-2@${record.offset}`,
        table: i % 4 === 3 ? null : 'public.orders',
        isRetried: i === 1,
        keptAt: ago(1_900 - i),
      },
      reason:
        i === 0
          ? `the value ${hostile.controls} of amount is no numeric`
          : 'it waits, because an earlier record of its row is in quarantine',
      ...{ value: record.value, key: record.key, headers: record.headers },
      expected:
        i % 4 === 3
          ? null
          : [
              { name: 'id', type: 'bigint' },
              { name: 'amount', type: 'numeric(38,18)' },
              { name: hostile.long, type: 'text' },
            ],
      neighbours: [-1, 0, 1, 2].map((by) => standInRecord('changes', 2, Number(record.offset) + by)),
      choices: [
        {
          action: 'quarantine.retry',
          target: `changes-2@${record.offset}`,
          does: 'applies it again, before the records of its table that wait after it',
        },
        {
          action: 'quarantine.discard',
          target: `changes-2@${record.offset}`,
          does: 'forgets it; later changes of its row are applied without it',
        },
      ],
    }
  })
}
