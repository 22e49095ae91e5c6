import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { definitionOf } from '#test-support/windows/definitions.ts'
import { makeLatestState } from '../apply/latest-state.ts'
import { deployDefinitions } from './deploy-definitions.ts'
import { makeWindows } from './windows.ts'

let target: TestDatabase
let client: pg.PoolClient

beforeEach(async () => {
  target = await createDatabase('target')
  client = await target.pool.connect()
})

afterEach(async () => {
  client.release()
  await target.drop()
})

const text = (select = 'count(*) as rides') => `-- source: public.rides
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
select ${select}
from rides`

const file = (name: string, content = text()) => ({
  ...{ file: `windows/${name}.sql`, text: content },
  definition: definitionOf(name, content),
})

async function captureRides() {
  const columns = [
    columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
    columnContract(2, 'at', 'timestamp without time zone'),
  ]
  const log = new ChangeLog().contract(ordersContract({ table: 'rides', columns }))
  const place = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }
  await makeLatestState(target.pool).apply(place, log.records)
}

const known = async () => (await client.query('select name, state from tidemark.window_definition order by name')).rows

test('definitions are put, changed and removed, and one whose table is not there yet waits for it', async () => {
  expect(await deployDefinitions(client, [file('rides'), file('others')])).toEqual({
    changed: ['rides', 'others'],
    removed: [],
  })
  expect(await known()).toEqual([
    { name: 'others', state: 'awaiting table' },
    { name: 'rides', state: 'awaiting table' },
  ])

  await captureRides()
  expect(await deployDefinitions(client, [file('rides', text('max(at) as newest'))])).toEqual({
    changed: ['rides'],
    removed: ['others'],
  })
  expect(await known()).toEqual([{ name: 'rides', state: 'backfilling' }])

  expect(await deployDefinitions(client, [file('rides', text('max(at) as newest'))])).toEqual({
    changed: [],
    removed: [],
  })
})

test('one that Postgres refuses leaves all as they were, and is named with file, line and reason', async () => {
  await captureRides()
  await deployDefinitions(client, [file('rides')])

  const refused = deployDefinitions(client, [
    file('fares', text('count(*) as n,\n  sum(fair) as fares')),
    file('others'),
  ])

  await expect(refused).rejects.toThrow(/^windows\/fares\.sql:6: column "fair" does not exist/)
  expect(await known()).toEqual([{ name: 'rides', state: 'backfilling' }])
})

test('a check refuses what Postgres refuses and changes nothing', async () => {
  await captureRides()

  expect(await deployDefinitions(client, [file('rides')], { keep: false })).toEqual({ changed: ['rides'], removed: [] })
  await expect(
    deployDefinitions(client, [file('rides', text('max(random()) as luck'))], { keep: false }),
  ).rejects.toThrow(/^windows\/rides\.sql:5: .*volatile/)

  expect(await known()).toEqual([])
})

test('a view of a user on a result is never dropped: the changed definition stops alone, and the former is still shown', async () => {
  await captureRides()
  await deployDefinitions(client, [file('rides')])
  await makeWindows(target.pool).maintain(5_000)
  await client.query('create view public.report as select rides from tidemark_windows.rides')

  await deployDefinitions(client, [file('rides', text('max(at) as newest')), file('others')])
  await makeWindows(target.pool).maintain(5_000)

  const { rows } = await client.query(
    'select name, state, reason, was_shown as shown from tidemark.window_definition order by name, id',
  )
  expect(rows).toEqual([
    { name: 'others', state: 'shown', reason: null, shown: true },
    { name: 'rides', state: 'shown', reason: null, shown: true },
    {
      ...{ name: 'rides', state: 'stopped', shown: false },
      reason: expect.stringMatching(/other objects depend on it.*view (public\.)?report/s),
    },
  ])
  expect((await client.query('select * from public.report')).rows).toEqual([])
  await expect(deployDefinitions(client, [file('others')])).rejects.toThrow(/rides has no file any more.*report/s)

  await client.query('drop view public.report')
  expect(await deployDefinitions(client, [file('rides', text('max(at) as newest')), file('others')])).toEqual({
    changed: ['rides'],
    removed: [],
  })
})
