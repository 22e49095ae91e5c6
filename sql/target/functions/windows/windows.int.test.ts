import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { definitionJson } from '#core/windows/stored-definition.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { definitionOf, putWindow } from '#test-support/windows/definitions.ts'
import { ridesHead } from '#test-support/windows/ride-log.ts'

let target: TestDatabase
beforeAll(async () => {
  target = await createDatabase('target')
  const log = new ChangeLog().contract(
    ordersContract({
      table: 'rides',
      columns: [
        columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
        columnContract(2, 'at', 'timestamp without time zone'),
        columnContract(3, 'zone', 'integer'),
        columnContract(4, 'note', 'json'),
        columnContract(5, 'twice', 'integer', { generated: true, expression: '(zone * 2)' }),
      ],
    }),
  )
  const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }
  await makeLatestState(target.pool).apply(key, log.records)
})
afterAll(() => target.drop())

const select = (items: string, more = '') => `${ridesHead()} select ${items} from rides ${more};`

describe('a definition that the target cannot compute is refused with the reason, and nothing changes:', () => {
  test.each([
    ['an unknown column', select('count(fare) as n'), 'column "fare" does not exist'],
    ['an unknown function', select('median(zone) as n'), 'function median(integer) does not exist'],
    ['an unknown type', select('sum(zone::money_bag) as n'), 'type "money_bag" does not exist'],
    ['a type that has no sum', select('sum(note) as n'), 'function sum(json) does not exist'],
    ['an item that is no aggregate', select('zone as z'), 'must appear in the GROUP BY clause'],
    ['a volatile function', select('count(*) + random() as n'), 'random() is volatile'],
    ['the time of the session', select('max(at - current_date) as n'), 'depends on the time'],
    ['now()', select('max(now() - at) as n'), 'now() depends on more than its arguments'],
    ['age() of one time', select('max(age(at)) as n'), 'depends on more than its arguments'],
    ['a setting', select(`max(current_setting('work_mem')) as n`), 'depends on more than its arguments'],
    ['a volatile predicate', select('count(*) as n', 'where random() < 0.5'), 'random() is volatile'],
    ['a set-returning function', select('generate_series(1, 2) as n'), 'several rows'],
    ['the whole row', select('count(rides) as n'), 'whole row'],
    ['a generated column', select('sum(twice) as n'), 'is generated'],
    ['a key that cannot be hashed', select('note as n, count(*) as c', 'group by n'), 'could not identify'],
    [
      'an event time that is no time',
      select('count(*) as n').replace('-- event time: at', '-- event time: zone'),
      'a timestamp, a timestamp with time zone or a date is needed',
    ],
    [
      'an unknown event time',
      select('count(*) as n').replace('-- event time: at', '-- event time: happened'),
      'has no column happened',
    ],
    [
      'a view of an unknown column',
      `${select('count(*) as n')}\n-- view\nselect w.fares from windows w;`,
      'column w.fares does not exist',
    ],
  ])('%s', async (_, text, reason) => {
    const before = await tables()

    await expect(putWindow(target, 'wrong', text)).rejects.toThrow(reason)

    expect(await tables()).toEqual(before)
  })
})

async function tables() {
  const { rows } = await target.pool.query(
    `select relname from pg_class where relnamespace in ('tidemark_window_rows'::regnamespace, 'tidemark_windows'::regnamespace)
     union all
     select name from tidemark.window_definition`,
  )
  return rows
}

test.each(['Trips', 'a"b', 'a; drop table x', '', 'x'.repeat(49)])('the name %o is refused', async (name) => {
  const json = { ...JSON.parse(definitionJson(definitionOf('fine', select('count(*) as n')))), name }

  await expect(
    target.pool.query('select tidemark.put_window($1, $2, $3::jsonb)', [name, '', JSON.stringify(json)]),
  ).rejects.toThrow('is no name of windows')
})

test('a stable function of Postgres that computes with its arguments is taken', async () => {
  const text = select(`to_char(at, 'YYYY') as year, count(*) as n`, 'group by year')

  expect(await putWindow(target, 'by_year', text)).toMatchObject({ outcome: 'new', state: 'backfilling' })
})
