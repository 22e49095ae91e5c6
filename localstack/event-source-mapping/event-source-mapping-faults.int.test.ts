import { expect, onTestFinished, test } from 'vitest'
import { makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation.ts'
import { makeFunctionBundles } from '#test-support/function-bundle.ts'
import {
  collector,
  eventually,
  failure,
  type Invoke,
  records,
  success,
  upTo,
  useMappedTopic,
} from '#test-support/mapped-topic.ts'
import type { RunningEventSourceMapping } from './event-source-mapping.ts'

const topic = useMappedTopic()

test('offsets are committed after the function has succeeded, not before', async () => {
  await topic.create(1)
  await topic.produce(records(0, 3))
  const answers: ((answer: InvocationAnswer) => void)[] = []
  const { mapping } = topic.start(() => new Promise((resolve) => answers.push(resolve)))

  await eventually(() => expect(answers).toHaveLength(1))
  expect(await topic.groupOffsets()).toEqual([-1])
  answers[0]!(failure)
  await eventually(() => expect(answers).toHaveLength(2))
  expect(await topic.groupOffsets()).toEqual([-1])
  expect(mapping.metrics()).toMatchObject({ batches: 2, failedBatches: 1, records: 6, lastError: 'null' })
  answers[1]!(success)

  await topic.committed([3])
  const counts = { polled: 3, filteredOut: 0, invoked: 6, failedInvocations: 1, deliveredToDestination: 0, dropped: 0 }
  const offsets = { committed: 3, committedOffset: 3, logEndOffset: 3, lagRecords: 0 }
  const expected = {
    batches: 2,
    records: 6,
    failedBatches: 1,
    throttledBatches: 0,
    failedRecords: 3,
    topicPartitions: [{ topicPartition: `${topic.name}-0`, ...counts, ...offsets }],
  }
  await eventually(() => expect(mapping.metrics()).toEqual(expected))
})

test('a failing batch is repeated as it is, and nothing of its topic partition overtakes it', async () => {
  await topic.create(2)
  await topic.produce(records(0, 3))
  let failures = 3
  const batches: number[][] = []
  topic.start(async ({ records }) => {
    const own = records[`${topic.name}-0`]
    if (own === undefined) return success
    batches.push(own.map(({ offset }) => offset))
    return failures-- > 0 ? failure : success
  })
  await eventually(() => expect(batches).toHaveLength(1))

  await topic.produce([...records(0, 2), ...records(1, 4)])

  await topic.committed([5, 4])
  expect(batches).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
    [3, 4],
  ])
})

test('topic partitions are in flight at once, never two batches of one', async () => {
  await topic.create(4)
  const active = new Map<string, number>()
  let mostAtOnce = 0
  let overlap = false
  const { offsets, invoke } = collector()
  topic.start(
    async (event, payload) => {
      const names = Object.keys(event.records)
      for (const name of names) {
        overlap ||= active.has(name)
        active.set(name, 1)
      }
      mostAtOnce = Math.max(mostAtOnce, active.size)
      await invoke(event, payload)
      await new Promise((resolve) => setTimeout(resolve, 5))
      for (const name of names) active.delete(name)
      return success
    },
    { BatchSize: 7 },
  )

  for (let round = 0; round < 10; round++) {
    await topic.produce([0, 1, 2, 3].flatMap((partition) => records(partition, 10)))
  }

  await topic.committed([100, 100, 100, 100])
  expect(overlap).toBe(false)
  expect(mostAtOnce).toBeGreaterThan(1)
  for (const partition of [0, 1, 2, 3]) expect(offsets(partition)).toEqual(upTo(100))
})

test('only what the function reports is tried again', async () => {
  await topic.create(1)
  await topic.produce(records(0, 5))
  const batches: number[][] = []
  topic.start(
    async ({ records }) => {
      batches.push(records[`${topic.name}-0`]!.map(({ offset }) => offset))
      const failures = batches.length === 1 ? [{ itemIdentifier: { partition: `${topic.name}-0`, offset: 3 } }] : []
      return { ...success, payload: Buffer.from(JSON.stringify({ batchItemFailures: failures })) }
    },
    { FunctionResponseTypes: ['ReportBatchItemFailures'], ProvisionedPollerConfig: { MaximumPollers: 2 } },
  )

  await topic.committed([5])
  expect(batches).toEqual([upTo(5), [3, 4]])
})

test('stopping waits for what is in flight and commits it', async () => {
  await topic.create(1)
  await topic.produce(records(0, 3))
  const { mapping } = topic.start(async () => {
    await new Promise((resolve) => setTimeout(resolve, 300))
    return success
  })
  await eventually(() => expect(mapping.metrics().batches).toBe(1))

  await mapping.stop(5_000)

  expect(await topic.groupOffsets()).toEqual([3])
})

test('a topic that is not there yet is waited for', async () => {
  const { delivered, invoke } = collector()
  const { mapping, events } = topic.start(invoke)
  await eventually(() => expect(events).toContainEqual(expect.objectContaining({ kind: 'disconnected' })))
  expect(mapping.metrics().lastError).toContain('topic')

  await topic.create(1)
  await topic.produce(records(0, 1))

  await eventually(() => expect(delivered).toHaveLength(1))
  expect(mapping.metrics().lastError).toBeUndefined()
})

test('two mappings of a group share the topic partitions; when one leaves, the other takes over', async () => {
  await topic.create(4)
  const active = new Set<string>()
  let overlap = false
  const collect = () => {
    const { invoke, ...rest } = collector()
    const exclusive: Invoke = async (event, payload) => {
      const names = Object.keys(event.records)
      overlap ||= names.some((name) => active.has(name))
      for (const name of names) active.add(name)
      await new Promise((resolve) => setTimeout(resolve, 20))
      for (const name of names) active.delete(name)
      return invoke(event, payload)
    }
    return { ...rest, invoke: exclusive }
  }
  const produce = () => topic.produce([0, 1, 2, 3].flatMap((partition) => records(partition, 20)))
  const owned = (mapping: RunningEventSourceMapping) => mapping.metrics().topicPartitions.length
  const [one, other] = [collect(), collect()]

  const { mapping: first, events } = topic.start(one.invoke, { BatchSize: 5 })
  await eventually(() => expect(owned(first)).toBe(4))
  events.length = 0
  await produce()
  const second = topic.start(other.invoke, { BatchSize: 5 }).mapping
  await eventually(() => expect([owned(first), owned(second)]).toEqual([2, 2]))
  await produce()
  await topic.committed([40, 40, 40, 40])
  await first.stop()
  await produce()
  await topic.committed([60, 60, 60, 60])

  expect(owned(second)).toBe(4)
  expect(overlap).toBe(false)
  expect(events.map(({ kind }) => kind)).toEqual(['assigned'])
  for (const partition of [0, 1, 2, 3]) {
    expect([...one.offsets(partition), ...other.offsets(partition)]).toEqual(upTo(60))
  }
})

test('kill -9 of the broker loses nothing: the mapping goes on when it is back, in order', async () => {
  await topic.create(2)
  const { offsets, invoke } = collector()
  const { mapping } = topic.start(invoke)
  await topic.produce([...records(0, 50), ...records(1, 50)])
  await topic.committed([50, 50])

  topic.broker.kill()
  await eventually(() => expect(mapping.state()).toBe('Reconnecting'))
  for (const partition of [0, 1]) await eventually(() => topic.produce(records(partition, 50)), 30_000)

  await topic.committed([100, 100])
  expect(mapping.state()).toBe('Enabled')
  for (const partition of [0, 1]) expect(firstSeen(offsets(partition))).toEqual(upTo(100))
})

/** Redelivered records left out. */
const firstSeen = (offsets: number[]) => [...new Set(offsets)]

test('kill -9 of the function, its timeout and its errors lose nothing and change no order', async () => {
  await topic.create(1)
  const bundles = makeFunctionBundles()
  const host = makeFunctionHost({ endpointUrl: '', onLog: () => undefined })
  onTestFinished(async () => {
    await host.stop()
    await bundles.remove()
  })
  const source = `import { existsSync, writeFileSync } from 'node:fs'
    const once = (name) => existsSync(name) ? false : (writeFileSync(name, ''), true)
    export const handler = async ({ records }) => {
      const offsets = Object.values(records).flat().map(({ offset }) => offset)
      if (offsets.includes(20) && once('killed')) process.kill(process.pid, 'SIGKILL')
      if (offsets.includes(40) && once('timed out')) while (true) {}
      if (offsets.includes(60) && once('thrown')) throw new Error('thrown')
    }`
  host.add(await bundles.write('unreliable', source, { timeoutSeconds: 1 }))
  const { invoke, offsets } = collector()
  const { events } = topic.start(
    async (event, payload) => {
      const answer = await host.invoke('unreliable', payload)
      if (answer.functionError === undefined) await invoke(event, payload)
      return answer
    },
    { BatchSize: 10 },
  )

  await topic.produce(records(0, 80))

  await topic.committed([80])
  expect(offsets(0)).toEqual(upTo(80))
  expect(events.flatMap((event) => (event.kind === 'failed' ? [event.reason] : []))).toEqual([
    expect.stringMatching(/Runtime exited with error: signal: killed$/),
    expect.stringMatching(/Task timed out after 1\.00 seconds$/),
    'Error: thrown',
  ])
})
