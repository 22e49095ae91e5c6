import type { ChangeOp, ColumnChange, ShownChange } from '#core/console/changes.ts'
import type { Cell } from '#core/console/values.ts'
import { hostile } from './hostile-names.ts'
import { tableNames } from './stand-in-status.ts'

const text = (value: string): Cell => ({ kind: 'text', text: value })

const whos = ['ana@shop.example', 'billing-service', hostile.override, null]
const whys = ['ticket 4711: the customer returned two of three', 'nightly correction', null, null]
const ops: readonly ChangeOp[] = ['update', 'insert', 'update', 'update', 'delete', 'read', 'update', 'truncate']

/** The change with a number. The same number always gives the same change. */
export function standInChange(number: number, nowMs: number, isWhole = false): ShownChange {
  const op = ops[(number * 7) % ops.length]!
  const columns = columnsOf(number, op)
  const changed = columns.filter(({ isChanged }) => isChanged)
  return {
    id: `c${number}`,
    table: tableNames[(number * 5) % 8]!,
    op,
    key: op === 'truncate' ? null : [{ name: 'id', cell: text(`900719925474${String(number).padStart(7, '0')}`) }],
    committedAt: new Date(nowMs).toISOString().replace('Z', `${String(number % 1_000).padStart(3, '0')}Z`),
    epoch: 3,
    transaction: String(771_000 + Math.floor(number / 3)),
    lsn: `0/${(0x16b3748 + number * 64).toString(16).toUpperCase()}`,
    who: whos[number % whos.length]!,
    application: 'psql',
    why: whys[number % whys.length]!,
    details: number % 4 === 0 ? '{"request":"b7c1","amount":1.10}' : null,
    columns: op === 'truncate' ? [] : isWhole || op !== 'update' ? columns : changed,
    columnCount: columns.length,
    changedCount: op === 'update' ? changed.length : columns.length,
  }
}

function columnsOf(number: number, op: ChangeOp): readonly ColumnChange[] {
  const value = (name: string, type: string, before: Cell, after: Cell, isChanged: boolean): ColumnChange => ({
    ...{ name, type, isChanged: op === 'update' && isChanged },
    ...(op === 'insert' || op === 'read' ? {} : { before }),
    ...(op === 'delete' ? {} : { after: isChanged ? after : before }),
  })
  return [
    value('id', 'bigint', text(`900719925474${String(number).padStart(7, '0')}`), text('0'), false),
    value(
      'state',
      'text',
      text('open'),
      text(['paid', 'returned', hostile.markup, hostile.override][number % 4]!),
      number % 3 !== 0,
    ),
    value(
      'amount',
      'numeric(38,18)',
      text('12345678901234567890.100000000000000001'),
      text('12345678901234567890.100000000000000002'),
      true,
    ),
    value('note', 'text', { kind: 'null' }, text(hostile.controls), number % 5 === 0),
    value('customer', 'text', text(hostile.quotes), text(hostile.emoji), number % 2 === 0),
    value('empty', 'text', text(''), text(' '), number % 7 === 0),
    value('document', 'jsonb', { kind: 'unavailable' }, { kind: 'unavailable' }, false),
    value(
      'description',
      'text',
      { kind: 'cut', text: 'Lorem ipsum dolor sit amet. '.repeat(14), length: 4_812_331 },
      text(''),
      false,
    ),
    value(
      hostile.long,
      'timestamp with time zone',
      text('2026-11-30 14:05:03.000001+00'),
      text('infinity'),
      number % 6 === 0,
    ),
    value(hostile.wide, 'text', text(hostile.arabic), text(hostile.wide), number % 4 === 1),
    value('tags', 'text[]', text('{a,"b c",NULL}'), text('{}'), false),
    value(
      'address',
      'jsonb',
      text('{"street": "Długa 4", "zip": "00-238", "geo": [52.2499, 21.0122]}'),
      text('{}'),
      false,
    ),
  ]
}
