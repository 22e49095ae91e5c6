import { arrayOf } from './codecs/arrays.ts'
import { bits, bytea } from './codecs/bytes.ts'
import type { ColumnCodec } from './codecs/codec.ts'
import * as geometry from './codecs/geometry.ts'
import * as numbers from './codecs/numbers.ts'
import * as texts from './codecs/texts.ts'
import * as times from './codecs/times.ts'
import type { ColumnContract } from './contract.ts'

export { quoteElement } from './codecs/arrays.ts'
export type { ColumnCodec, Decode } from './codecs/codec.ts'
export { type Decoded, UNAVAILABLE_PLACEHOLDER, unavailable } from './codecs/unavailable.ts'
export { ValueError } from './codecs/value-error.ts'

/** A value as Postgres's input functions read it, or null. */
export type InputText = string | null

const codecs: Readonly<Record<string, ColumnCodec>> = {
  smallint: numbers.integer,
  integer: numbers.integer,
  bigint: numbers.integer,
  oid: numbers.integer,
  numeric: numbers.numeric,
  real: numbers.float,
  'double precision': numbers.float,
  money: numbers.money,
  boolean: numbers.boolean,
  text: texts.text,
  'character varying': texts.text,
  character: texts.character,
  '"char"': texts.text,
  name: texts.text,
  citext: texts.citext,
  uuid: texts.text,
  json: texts.text,
  jsonb: texts.jsonb,
  xml: texts.text,
  hstore: texts.hstore,
  ltree: texts.text,
  tsvector: texts.text,
  inet: texts.text,
  cidr: texts.text,
  macaddr: texts.text,
  macaddr8: texts.text,
  int4range: texts.text,
  int8range: texts.text,
  numrange: texts.numrange,
  daterange: texts.text,
  tsrange: texts.text,
  tstzrange: texts.text,
  date: times.date,
  'time without time zone': times.time,
  'time with time zone': times.timeWithZone,
  'timestamp without time zone': times.timestamp,
  'timestamp with time zone': times.timestampWithZone,
  bytea,
  point: geometry.point,
  line: geometry.line,
  lseg: geometry.lseg,
  box: geometry.box,
  path: geometry.path,
  polygon: geometry.polygon,
  circle: geometry.circle,
}

/** Types that Debezium does not know. `text` is for those that the target stores as text. */
const encodedTypes: Readonly<Record<string, ColumnCodec>> = {
  ...Object.fromEntries(
    [
      ...['text', 'tsquery', 'jsonpath', 'xid', 'xid8', 'cid', 'tid', 'pg_lsn', 'pg_snapshot', 'txid_snapshot'],
      ...[
        'int4multirange',
        'int8multirange',
        'datemultirange',
        'tsmultirange',
        'tstzmultirange',
        'lquery',
        'ltxtquery',
      ],
    ].map((type) => [type, texts.encoded]),
  ),
  nummultirange: texts.encodedNumbers,
}

/** `interval`, `interval(3)`, `interval year to month`, `interval day to second(3)`. */
const intervals =
  /^interval(\(\d\))?( (year|month|day|hour|minute|second(\(\d\))?))?( to (month|hour|minute|second(\(\d\))?))?$/

/**
 * The codec of a column; undefined when values of its type are not carried exactly. `carried` is the type as
 * `format_type` writes it (`numeric(12,2)`, `timestamp(3) without time zone`, `text[]`).
 */
export function columnCodec({ carried, wire }: Pick<ColumnContract, 'carried' | 'wire'>): ColumnCodec | undefined {
  if (carried.endsWith('[]')) {
    const element = wire === 'value' ? columnCodec({ carried: carried.slice(0, -2), wire }) : undefined
    return element && arrayOf(element)
  }
  if (wire === 'text') return encodedTypes[carried]
  if (intervals.test(carried)) return times.interval
  const bit = /^bit\((\d+)\)$/.exec(carried)
  if (bit !== null) return bits(Number(bit[1]))
  return codecs[carried.replace(/\([\d,-]+\)/, '')]
}
