import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { startTestBroker, type TestBroker, type TestRecord } from '#test-support/kafka/kafka-broker.ts'
import { requireTopics } from '#watch/follow-topics.ts'
import { type Beginning, findBeginning } from '#watch/stored-positions.ts'
import { noTarget, type TargetKnowledge } from '#watch/target-knowledge.ts'
import { watchTopics } from '#watch/watch-topics.ts'
import type { WatchedChange } from '#watch/watched-change.ts'

/** A running watch, with its output. */
export type TestWatch = Omit<Beginning, 'positions'> & {
  changes: WatchedChange[]
  reported: string[]
  ids(): number[]
  stop(): Promise<void>
}

/** Makes a broker with the topic user-events of two topic partitions for each test, and watches that end with it. */
export function useWatchedTopics() {
  const watched = { broker: undefined as unknown as TestBroker, start }
  const stops: (() => Promise<void>)[] = []
  let directory = ''
  beforeAll(async () => {
    watched.broker = await startTestBroker()
    await watched.broker.createTopic('user-events', 2)
  })
  afterAll(() => watched.broker.stop())
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'watch-'))
  })
  afterEach(async () => {
    await Promise.all(stops.splice(0).map((stop) => stop()))
    await Promise.all([watched.broker.recreateTopic('user-events', 2), rm(directory, { recursive: true })])
  })

  async function start({
    target = noTarget,
    fromStart = false,
    table,
  }: {
    target?: TargetKnowledge
    fromStart?: boolean
    table?: string
  } = {}): Promise<TestWatch> {
    const brokers = { bootstrapServers: watched.broker.bootstrapServers, access: {} }
    const states = await requireTopics(brokers)
    const { positions, ...beginning } = await findBeginning(directory, states, fromStart, table)
    const interrupt = new AbortController()
    const changes: WatchedChange[] = []
    const reported: string[] = []
    const ended = watchTopics({
      ...{ brokers, states, target, positions, directory, table, signal: interrupt.signal },
      print: (change) => changes.push(change),
      report: (what) => reported.push(what),
    })
    const stop = async () => {
      interrupt.abort()
      await ended
    }
    stops.push(stop)
    return { ...beginning, changes, reported, stop, ids: () => changes.map(({ key }) => Number(key?.['id'])) }
  }
  return watched
}

/** Inserts of users from the id `from` to before `to`, spread over two topic partitions. */
export const insertsOfUsers = (from: number, to: number): TestRecord[] =>
  Array.from({ length: to - from }, (_, index) => ({
    partition: (from + index) % 2,
    value: JSON.stringify({ id: from + index, op: 'insert', event_order: 1 }),
  }))
