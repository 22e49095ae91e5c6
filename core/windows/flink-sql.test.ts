import { expect, test } from 'vitest'
import { columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { definitionOf } from '#test-support/windows/definitions.ts'
import { taxiDefinition, tripsContract } from '#test-support/windows/taxi-log.ts'
import { compileFlinkJob } from './flink-sql.ts'

const surroundings = { brokers: 'a:9098,b:9098', changes: 'changes', client: { 'security.protocol': 'SASL_SSL' } }
const full = { replicaIdentity: 'full' } as const

const rides = ordersContract({
  table: 'rides',
  ...full,
  columns: [
    columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
    columnContract(2, 'at', 'timestamp without time zone'),
    columnContract(3, 'zone', 'integer'),
    columnContract(4, 'fare', 'numeric(12,2)'),
    columnContract(5, "o'clock", 'text'),
    columnContract(6, 'place', 'point'),
  ],
})

const header = (window = 'tumbling 1 hour', more = '') => `-- source: public.rides
-- event time: at
-- window: ${window}
-- watermark: 90 minutes
${more}`

const compile = (sql: string, head = header(), contract = rides) =>
  compileFlinkJob(definitionOf('rides_by_zone', `${head}\n${sql};`), contract, surroundings)

const sqlOf = (...given: Parameters<typeof compile>) => {
  const job = compile(...given)
  if (job.kind === 'refused') throw new Error(job.reasons.join('\n'))
  return job.sql
}

const reasonsOf = (...given: Parameters<typeof compile>) => {
  const job = compile(...given)
  return job.kind === 'refused' ? job.reasons : []
}

test('the definition that ships is compiled to windows that close, grouped by both ends and the keys', () => {
  const job = compileFlinkJob(
    definitionOf('trips_by_zone', taxiDefinition('-- publish: trips-by-zone')),
    { ...tripsContract(1), ...full },
    surroundings,
  )

  expect(job).toMatchObject({ kind: 'compiled', topic: 'trips-by-zone-flink' })
  const { sql } = job as { sql: string }
  expect(sql).toContain(`'properties.security.protocol' = 'SASL_SSL'`)
  expect(sql).toContain('CAST(`total_amount` AS DECIMAL(10, 2)) AS `total_amount`')
  expect(sql).toContain(`WATERMARK FOR event_time_of_tidemark AS event_time_of_tidemark - INTERVAL '1' HOUR`)
  expect(sql).toContain(
    `FROM TABLE(TUMBLE(TABLE tidemark_rows, DESCRIPTOR(event_time_of_tidemark), INTERVAL '1' HOUR)) AS tidemark_rows
  GROUP BY window_start, window_end, \`pu_location_id\`
  HAVING count(*) >= 10`,
  )
})

test('hopping windows, filters and rows that are too far ahead are compiled', () => {
  const sql = sqlOf(
    `select zone, count(*) filter (where fare > 0) as paid from rides where rides.fare is not null group by zone`,
    header('hopping 1 hour every 15 minutes', '-- future rows: set aside after 1 day'),
  )

  expect(sql).toContain(
    `HOP(TABLE filtered, DESCRIPTOR(event_time_of_tidemark), INTERVAL '15' MINUTE, INTERVAL '1' HOUR)`,
  )
  expect(sql).toContain('WHERE `tidemark_rows`.`fare` is not null')
  expect(sql).toContain('count(*) filter (where `fare` > 0) AS `paid`')
  expect(sql).toContain(`<= CAST(tidemark_committed_at AS TIMESTAMP(3)) + INTERVAL '1' DAY`)
  expect(sql).toContain(`- INTERVAL '90' MINUTE`)
})

test('names and texts cannot leave the place where they are put', () => {
  const sql = sqlOf(
    `select "o'clock" as "a\`b'c", count(*) as n from rides where "o'clock" = '''; drop table x' group by "a\`b'c"`,
  )

  expect(sql).toContain("`o'clock` AS `a``b'c`")
  expect(sql).toContain(`'a\`b''c' VALUE \`a\`\`b'c\``)
  expect(sql).toContain(`= '''; drop table x'`)
})

test('what Flink would compute differently is refused with the reason', () => {
  expect(reasonsOf('select count(*) as n from rides', header(), { ...rides, replicaIdentity: 'default' })).toEqual([
    expect.stringContaining('alter table public.rides replica identity full'),
  ])
  expect(reasonsOf('select count(*) as n from rides', header('hopping 1 hour every 25 minutes'))).toEqual([
    'in Flink a window lasts for a multiple of what it hops by',
  ])
  expect(reasonsOf('select array_agg(zone) as zones from rides')).toEqual([
    'array_agg may be something else in Flink than in Postgres',
  ])
  expect(reasonsOf('select max(fare::integer) as most, sum(zone / 2) as half from rides')).toEqual([
    ':: may be something else in Flink than in Postgres',
    '/ may be something else in Flink than in Postgres',
  ])
  expect(reasonsOf('select count(*) as n from rides', header().replace('time: at', 'time: zone'))).toEqual([
    'the event time zone is no timestamp or date of the table',
  ])
  expect(reasonsOf('select count(place) as n from rides')).toEqual([
    'the column place has a type that is not read here',
  ])
})
