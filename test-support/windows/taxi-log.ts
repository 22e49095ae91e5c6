import { ChangeLog, columnContract, ordersContract } from '../changes/change-log.ts'

const types: readonly (readonly [name: string, type: string])[] = [
  ['trip_id', 'bigint'],
  ['vendor_id', 'integer'],
  ['lpep_pickup_datetime', 'timestamp without time zone'],
  ['lpep_dropoff_datetime', 'timestamp without time zone'],
  ['store_and_fwd_flag', 'text'],
  ['ratecode_id', 'bigint'],
  ['pu_location_id', 'integer'],
  ['do_location_id', 'integer'],
  ['passenger_count', 'bigint'],
  ['trip_distance', 'double precision'],
  ['fare_amount', 'numeric(10,2)'],
  ['extra', 'numeric(10,2)'],
  ['mta_tax', 'numeric(10,2)'],
  ['tip_amount', 'numeric(10,2)'],
  ['tolls_amount', 'numeric(10,2)'],
  ['ehail_fee', 'numeric(10,2)'],
  ['improvement_surcharge', 'numeric(10,2)'],
  ['total_amount', 'numeric(10,2)'],
  ['payment_type', 'bigint'],
  ['trip_type', 'bigint'],
  ['congestion_surcharge', 'numeric(10,2)'],
]

/** The contract of `public.green_trips`. */
export const tripsContract = (topicPartitions: number) =>
  ordersContract({
    relation: 5_001,
    table: 'green_trips',
    topicPartitions,
    columns: types.map(([name, type], i) =>
      columnContract(i + 1, name, type, i === 0 ? { key: 1, nullable: false } : {}),
    ),
  })

/** The values of a line of COPY as Debezium sends them. */
function wireOf(id: number, line: string): object {
  const texts = [`${id}`, ...line.trimEnd().split('\t')]
  return Object.fromEntries(
    types.map(([name, type], i) => {
      const text = texts[i]!
      if (text === '\\N') return [name, null]
      if (type.startsWith('timestamp'))
        return [name, Date.parse(`${text.slice(0, 23)}Z`) * 1000 + Number(text.slice(23))]
      if (type.startsWith('numeric')) return [name, Number(text).toFixed(2)]
      return [name, type === 'text' ? text : Number(text)]
    }),
  )
}

/**
 * Topic partitions with the contract and the trips, in the order of the lines, which are spread over the topic
 * partitions. Each trip is committed ten milliseconds after the one before it.
 */
export function taxiLogs(lines: readonly string[], topicPartitions = 1): ChangeLog[] {
  const begin = Date.parse('2024-02-01T00:00:00Z')
  const logs = Array.from({ length: topicPartitions }, (_, slot) =>
    new ChangeLog(slot).contract(tripsContract(topicPartitions)),
  )
  for (const [i, line] of lines.entries()) {
    const origin = { table: 'green_trips', lsn: 1_000 + i, txId: 1_000 + i, committedAtMs: begin + i * 10 }
    logs[i % topicPartitions]!.create(wireOf(i + 1, line), origin)
  }
  return logs
}

/** The windows of the taxi trips by hour and zone. `more` are further lines of the header. */
export const taxiDefinition = (more = '', having = 'having count(*) >= 10'): string => `-- source: public.green_trips
-- event time: lpep_pickup_datetime
-- window: tumbling 1 hour
-- watermark: 1 hour
${more}
select
  pu_location_id as zone,
  count(*) as trips,
  max(lpep_dropoff_datetime) as last_ride,
  sum(total_amount) as earnings
from green_trips
group by zone
${having};`
