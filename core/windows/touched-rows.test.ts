import { expect, test } from 'vitest'
import { ChangeLog } from '#test-support/changes/change-log.ts'
import { callsContract, ridesContract } from '#test-support/windows/ride-life.ts'
import { TableRegister } from '../tables/table-register.ts'
import { TouchedRowsOfBatch } from './touched-rows.ts'
import { DefinitionClock } from './watermark.ts'

const hour = 3_600_000_000n
const silent = { newestEvent: undefined, lastRowAt: undefined, beaconAt: undefined }
const at = (hours: number) => hours * Number(hour)
const origin = (lsn: number, table = 'rides') => ({ table, lsn })

function take(log: ChangeLog, relation = 4711, futureAfterMicros?: bigint) {
  const register = new TableRegister()
  const position = { epoch: 1, phase: 1, lsn: 1 } as const
  for (const contract of [ridesContract(), callsContract()]) register.enter(contract, position)
  const clock = new DefinitionClock(silent, [], undefined, { boundMicros: 0n, idleAfterMicros: hour })
  const definition = { id: '1', relation, generation: 1, eventColumn: 2, futureAfterMicros, slideMicros: hour, clock }
  const batch = new TouchedRowsOfBatch(register, [definition])
  for (const record of log.records) batch.take(record)
  return { batch, clock, rows: [...batch.touched()].flatMap(({ rows }) => rows) }
}

const ride = (id: number, hours: number | null) => ({
  id,
  at: hours === null ? null : at(hours),
  zone: 1,
  fare: '1.00',
})

test('a row has the watermark of the moment at which its newest version came', () => {
  const log = new ChangeLog()
    .create(ride(1, 1), origin(10))
    .create(ride(2, 5), origin(11))
    .update(ride(1, 1), origin(12))

  const { rows, clock } = take(log)

  expect(rows.map(({ values, watermark }) => [values, watermark])).toEqual([
    [['1'], 5n * hour],
    [['2'], hour],
  ])
  expect(clock.watermark).toBe(5n * hour)
})

test('a version that is sent again does not change when the row came', () => {
  const log = new ChangeLog().create(ride(1, 1), origin(10)).create(ride(2, 5), origin(11))
  log.start().create(ride(1, 1), origin(10))

  expect(take(log).rows[0]).toMatchObject({ position: { lsn: 10 }, watermark: undefined })
})

test('a row entered its windows with the first version that is in them, and has moved when another one was not', () => {
  const log = new ChangeLog()
    .create(ride(1, 1), origin(10))
    .create(ride(2, 5), origin(11))
    .update({ ...ride(1, 1), fare: '2.00' }, origin(12))
    .create(ride(3, 7), origin(13))
    .update(ride(2, 6), origin(14))

  const { rows } = take(log)

  expect(rows.map(({ entered, hasMoved }) => [entered, hasMoved])).toEqual([
    [undefined, false],
    [7n * hour, true],
    [5n * hour, false],
  ])
})

test('a row that a snapshot has read has no watermark, and is looked at whatever its position', () => {
  const log = new ChangeLog().create(ride(2, 5), origin(11)).incrementalRead(ride(1, 1), { table: 'rides' })

  expect(take(log).rows[1]).toMatchObject({ read: true, watermark: undefined })
})

test('an event time that is too far ahead, null or infinite does not move the watermark', () => {
  const log = new ChangeLog()
    .create({ ...ride(1, 2), at: Date.parse('2023-11-14T22:13:20Z') * 1000 + at(2) }, origin(10))
    .create(ride(2, null), origin(11))
    .create({ ...ride(3, null), at: '9223372036854775807' }, origin(12))

  expect(take(log, 4711, hour).clock.watermark).toBeUndefined()
})

test('an update that changes the key names both rows, the former of which is gone', () => {
  const log = new ChangeLog().change('u', ride(1, 1), ride(2, 1), origin(10))

  expect(take(log).rows.map(({ values, live }) => [values, live])).toEqual([
    [['1'], false],
    [['2'], true],
  ])
})

test('a change of a keyless table names the content before and after it', () => {
  const { id, ...before } = ride(1, 1)
  const after = { ...before, fare: '2.00' }
  const log = new ChangeLog().change('u', before, after, origin(10, 'calls'))

  expect(take(log, 4712).rows.map(({ values }) => values.at(-1))).toEqual(['1.00', '2.00'])
})

test('records of other tables, and records that are no change, name no row', () => {
  const log = new ChangeLog()
    .append('{"rides')
    .append(undefined)
    .append('{"op":"c","source":{"table":"rides"}}')
    .create(ride(1, 1), origin(10, 'others'))

  expect(take(log).rows).toEqual([])
})
