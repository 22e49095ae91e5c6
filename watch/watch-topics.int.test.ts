import { expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { ChangeLog, ordersContract } from '#test-support/changes/change-log.ts'
import { createDatabase } from '#test-support/databases/database.ts'
import { eventually } from '#test-support/eventually.ts'
import { insertsOfUsers, useWatchedTopics } from '#test-support/watched-topics.ts'
import { followTopics, requireTopics } from './follow-topics.ts'
import { noTarget, openTarget } from './target-knowledge.ts'

const watched = useWatchedTopics()
const produce = (from: number, to: number) => watched.broker.produce('user-events', insertsOfUsers(from, to))
const ascending = (numbers: number[]) => numbers.toSorted((a, b) => a - b)
const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

test('a watch begins with what comes, and the next one goes on where it stopped, showing each record once', async () => {
  await produce(0, 10)
  const first = await watched.start()
  expect(first.from).toBe('the end')
  await produce(10, 20)
  await eventually(() => expect(ascending(first.ids())).toEqual(upTo(10, 20)))
  await first.stop()
  await produce(20, 35)

  const second = await watched.start()

  expect(second).toMatchObject({ from: 'where the last watch stopped', behind: 15, gone: 0 })
  await eventually(() => expect(ascending(second.ids())).toEqual(upTo(20, 35)))
  await second.stop()
  const all = await watched.start({ fromStart: true })
  await eventually(() => expect(ascending(all.ids())).toEqual(upTo(0, 35)))
})

test('a watch of one table takes no change of others from the next watch of all, and goes on behind what either showed', async () => {
  await (await watched.start()).stop()
  await produce(0, 4)
  const ofOne = await watched.start({ table: 'public.orders' })
  expect(ofOne).toMatchObject({ from: 'where the last watch stopped', behind: 4 })
  await ofOne.stop()
  expect(ofOne.changes).toEqual([])

  const ofAll = await watched.start()
  expect(ofAll).toMatchObject({ from: 'where the last watch stopped', behind: 4 })
  await eventually(() => expect(ascending(ofAll.ids())).toEqual(upTo(0, 4)))
  await ofAll.stop()

  expect(await watched.start({ table: 'user-events' })).toMatchObject({ behind: 0 })
})

test('a watch that is ended while it begins ends', async () => {
  const interrupt = new AbortController()
  const brokers = { bootstrapServers: watched.broker.bootstrapServers, access: {} }
  const positions = new Map([['user-events', [0, 0]]])
  // The consumer asks for the topics while it is made, so the interruption falls into that time.
  positions.keys = () => {
    interrupt.abort()
    return new Map(positions).keys()
  }

  await followTopics(brokers, positions, {
    ...{ signal: interrupt.signal, take: async () => undefined, onTrouble: () => undefined },
  })

  expect(interrupt.signal.aborted).toBe(true)
})

test('a topic that was named and is not there is a wrong argument, with those near it', async () => {
  const brokers = { bootstrapServers: watched.broker.bootstrapServers, access: {} }

  await expect(requireTopics(brokers, ['user-events', 'user-event'])).rejects.toThrow(
    new UsageError('there is no topic user-event: did you mean user-events?'),
  )
  expect([...(await requireTopics(brokers, ['user-events', 'user-events'])).keys()]).toEqual(['user-events'])
})

test('a table that is not captured is reported with similar names', async () => {
  const contracts = new Map(['public.orders', 'public.items'].map((name) => [name, ordersContract()]))

  const watch = await watched.start({ target: { ...noTarget, contracts }, table: 'public.ordres' })

  await eventually(() => expect(watch.reported).toHaveLength(1))
  expect(watch.reported[0]).toMatch(
    /^No captured table is called public\.ordres now .*: did you mean public\.orders\?$/,
  )
})

test('a topic that was created again is watched from its end, not from where the former one was', async () => {
  await produce(0, 10)
  await (await watched.start({ fromStart: true })).stop()
  await watched.broker.recreateTopic('user-events', 2)
  await produce(0, 4)

  expect(await watched.start()).toMatchObject({ from: 'the end', behind: 0 })
})

test('the row before a change that watch has not seen comes from the history of the target', async () => {
  const database = await createDatabase('target')
  await watched.broker.createTopic('changes', 1)
  const log = new ChangeLog().contract(ordersContract())
  log
    .create({ id: 7, name: 'new', amount: '1.50' }, { lsn: 10 })
    .create({ id: 8, name: 'b', amount: null }, { lsn: 11 })
  const key = { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 }
  const latestState = makeLatestState(database.pool)
  const go = async (from: number) => {
    const records = log.records.slice(from).map(({ value }) => ({ partition: 0, value: value! }))
    await watched.broker.produce('changes', records)
    await latestState.apply(key, log.records)
  }
  await go(0)
  const target = await openTarget(database.url)
  const watch = await watched.start({ target })

  log.update({ id: 7, name: 'paid', amount: '1.50' }, { lsn: 20 }).delete({ id: 8 }, { lsn: 21 })
  await go(3)

  await eventually(() => expect(watch.changes).toHaveLength(2))
  await watch.stop()
  await target.close()
  await database.drop()
  expect(watch.changes).toMatchObject([
    { op: 'update', before: { id: '7', name: 'new', amount: '1.50' }, changed: { name: ['new', 'paid'] } },
    { op: 'delete', before: { id: '8', name: 'b', amount: null }, after: null },
  ])
})
