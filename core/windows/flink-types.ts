import type { ColumnContract } from '../contract.ts'

/** How a column comes on the wire, and how its value is read from that. */
export type FlinkType = { readonly wire: string; readonly read: (wire: string) => string }

const asItIs = (wire: string): FlinkType => ({ wire, read: (value) => value })

/** Debezium sends timestamps as microseconds. Flink's event times have milliseconds. */
export const timestamp: FlinkType = {
  wire: 'BIGINT',
  read: (value) => `CAST(TO_TIMESTAMP_LTZ(${value} / 1000, 3) AS TIMESTAMP(3))`,
}

const types = new Map<string, FlinkType>([
  // Flink's sum has the type of its argument, so that a sum of INT would overflow.
  ['smallint', asItIs('BIGINT')],
  ['integer', asItIs('BIGINT')],
  ['bigint', asItIs('BIGINT')],
  ['boolean', asItIs('BOOLEAN')],
  ['real', asItIs('FLOAT')],
  ['double precision', asItIs('DOUBLE')],
  ['text', asItIs('STRING')],
  ['uuid', asItIs('STRING')],
  ['date', { wire: 'INT', read: (value) => `TIMESTAMPADD(DAY, ${value}, DATE '1970-01-01')` }],
  ['timestamp without time zone', timestamp],
  [
    'timestamp with time zone',
    {
      wire: 'STRING',
      read: (value) => `CAST(REPLACE(REPLACE(${value}, 'T', ' '), 'Z', '') AS TIMESTAMP_LTZ(3))`,
    },
  ],
])

/** The type of a column in Flink; undefined if its values are not read there. */
export function flinkTypeOf({ carried, wire, generated }: ColumnContract): FlinkType | undefined {
  if (generated || wire !== 'value') return undefined
  const [, precision, scale] = /^numeric\((\d+),(\d+)\)$/.exec(carried) ?? []
  if (precision !== undefined && Number(precision) <= 38 && Number(scale) <= Number(precision)) {
    return { wire: 'STRING', read: (value) => `CAST(${value} AS DECIMAL(${precision}, ${scale}))` }
  }
  if (/^character varying(\(\d+\))?$/.test(carried)) return asItIs('STRING')
  return types.get(carried.replace(/^(timestamp)\(\d\)/, '$1'))
}
