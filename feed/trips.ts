import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

/**
 * The column of the parquet file for each column of `public.green_trips`, in the order of the lines that `readTrips`
 * returns.
 */
const parquetColumns = {
  vendor_id: 'VendorID',
  lpep_pickup_datetime: 'lpep_pickup_datetime',
  lpep_dropoff_datetime: 'lpep_dropoff_datetime',
  store_and_fwd_flag: 'store_and_fwd_flag',
  ratecode_id: 'RatecodeID',
  pu_location_id: 'PULocationID',
  do_location_id: 'DOLocationID',
  passenger_count: 'passenger_count',
  trip_distance: 'trip_distance',
  fare_amount: 'fare_amount',
  extra: 'extra',
  mta_tax: 'mta_tax',
  tip_amount: 'tip_amount',
  tolls_amount: 'tolls_amount',
  ehail_fee: 'ehail_fee',
  improvement_surcharge: 'improvement_surcharge',
  total_amount: 'total_amount',
  payment_type: 'payment_type',
  trip_type: 'trip_type',
  congestion_surcharge: 'congestion_surcharge',
}

/** The columns of `public.green_trips` that come from the file. */
export const tripColumns = Object.keys(parquetColumns)

/**
 * Reads a file of green taxi trips. Each trip is one line of Postgres's COPY text format, with exact values, in file
 * order.
 */
export async function readTrips(path: string): Promise<string[]> {
  const rows = await parquetReadObjects({
    file: await asyncBufferFromFile(path),
    columns: Object.values(parquetColumns),
    compressors,
    parsers: { timestampFromMicroseconds: naiveTimestamp },
  })
  const names = Object.values(parquetColumns)
  return rows.map((row) => `${names.map((name) => copyText(row[name])).join('\t')}\n`)
}

/** Trips have local times without a zone, in microseconds. A Date would round them and add a zone. */
function naiveTimestamp(micros: bigint): string {
  const millis = new Date(Number(micros / 1000n)).toISOString().slice(0, -1)
  return `${millis}${String(micros % 1000n).padStart(3, '0')}`
}

function copyText(value: unknown): string {
  if (value === null || value === undefined) return '\\N'
  return String(value).replace(/[\\\t\n\r]/g, (character) => `\\${character}`)
}
