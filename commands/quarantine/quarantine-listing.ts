import { alignColumns } from '#terminal/aligned-columns.ts'
import { cutText } from '#terminal/display-width.ts'
import type { QuarantinedGroup, QuarantinedRecord, WholeRecord } from './quarantined-records.ts'

/**
 * The quarantined records as lines of `width` characters: first the number of records for each table and reason, then
 * the records themselves.
 */
export function describeQuarantine(
  groups: readonly QuarantinedGroup[],
  records: readonly QuarantinedRecord[],
  width: number,
): string[] {
  const all = groups.reduce((sum, group) => sum + group.records, 0)
  if (all === 0) return ['Nothing is in quarantine.']
  const shown = records.map(({ place, table, keptAt, reason, isRetried }) => [
    place,
    table ?? '–',
    keptAt.toISOString().slice(0, 19).replace('T', ' '),
    isRetried ? `${reason} (to be applied again)` : reason,
  ])
  const more = all - records.length
  return [
    `${records_(all)} in quarantine:`,
    ...alignColumns(
      groups.map((group) => [String(group.records), group.topic, group.table ?? '–', group.reason]),
      [0],
    ).map((line) => `  ${line}`),
    '',
    ...alignColumns([['PLACE', 'TABLE', 'SINCE (UTC)', 'REASON'], ...shown]),
    ...(more > 0 ? [`… and ${more.toLocaleString('en')} more: --limit shows them`] : []),
  ].map((line) => cutText(line, width))
}

const records_ = (count: number): string => (count === 1 ? '1 record is' : `${count.toLocaleString('en')} records are`)

/** A record with everything that came with it. Bytes that are not UTF-8 are shown in hexadecimal. */
export function describeRecord({ place, table, keptAt, reason, key, value, headers }: WholeRecord): string[] {
  return [
    ...alignColumns([
      ['place', place],
      ['table', table ?? 'none'],
      ['since', keptAt.toISOString()],
      ['reason', reason],
      ['key', textOf(key)],
      ['headers', headers === null ? 'none' : JSON.stringify(headers)],
    ]),
    'value',
    textOf(value),
  ]
}

function textOf(value: string | Buffer | null): string {
  if (value === null) return 'none'
  return typeof value === 'string' ? value : `bytes ${value.toString('hex')}`
}
