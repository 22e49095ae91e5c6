import { loadTrips } from '#feed/taxi-feed.ts'
import { tripColumns } from '#feed/trips.ts'
import type { Workload } from './workload.ts'

const TRIPS_OF_A_COMMIT = 5_000

const types: Readonly<Record<string, string>> = {
  vendor_id: 'integer',
  lpep_pickup_datetime: 'timestamp',
  lpep_dropoff_datetime: 'timestamp',
  store_and_fwd_flag: 'text',
  pu_location_id: 'integer',
  do_location_id: 'integer',
  ratecode_id: 'bigint',
  passenger_count: 'bigint',
  payment_type: 'bigint',
  trip_type: 'bigint',
  trip_distance: 'double precision',
}

/** The green taxi trips of New York, which `npm start` feeds, too. A trip's place in the file is its key. */
export const taxi: Workload = {
  name: 'taxi',
  summary: `taxi trips of ${tripColumns.length + 1} columns, inserted by COPY in transactions of ${TRIPS_OF_A_COMMIT}`,
  rows: 200_000,
  tables: (prefix) => [
    {
      ...{ name: `${prefix}_trips`, key: 'trip_id' },
      columns: [
        ['trip_id', 'bigint'],
        ...tripColumns.map((column) => [column, types[column] ?? 'numeric(10, 2)'] as const),
      ],
    },
  ],
  async *transactions(prefix, rows) {
    const trips = await loadTrips()
    for (let first = 0; first < rows; first += TRIPS_OF_A_COMMIT) {
      const count = Math.min(TRIPS_OF_A_COMMIT, rows - first)
      const lines = Array.from({ length: count }, (_, n) => `${first + n + 1}\t${trips[(first + n) % trips.length]}`)
      yield { copyInto: `${prefix}_trips`, columns: ['trip_id', ...tripColumns], lines }
    }
  },
  changes: (rows) => rows,
}
