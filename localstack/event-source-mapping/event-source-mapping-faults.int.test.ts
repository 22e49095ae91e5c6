import { expect, onTestFinished, test } from 'vitest'
import { makeFunctionHost } from '#localstack/lambda-host/function-host.ts'
import { eventually } from '#test-support/eventually.ts'
import { makeFunctionBundles } from '#test-support/functions/function-bundle.ts'
import {
  collector,
  type Delivered,
  failure,
  type Invoke,
  records,
  success,
  upTo,
  useMappedTopic,
} from '#test-support/kafka/mapped-topic.ts'

const topic = useMappedTopic()

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

test('kill -9 of the broker loses nothing: the mapping goes on when it is back, in order', async () => {
  await topic.create(2)
  const { offsets, invoke } = collector()
  const { mapping } = topic.start(invoke)
  await topic.produce([...records(0, 50), ...records(1, 50)])
  await topic.committed([50, 50])

  topic.broker.kill()
  await eventually(() => expect(mapping.state()).toBe('Reconnecting'))
  for (const partition of [0, 1]) await eventually(() => topic.produce(records(partition, 50)))

  await topic.committed([100, 100])
  expect(mapping.state()).toBe('Enabled')
  for (const partition of [0, 1]) expect(firstSeen(offsets(partition))).toEqual(upTo(100))
})

/** The offsets without those that were delivered again. */
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

test('members that come and go while the function fails, splits and discards lose nothing', async () => {
  await topic.create(4)
  const failed = `${topic.name}-failed`
  await topic.broker.createTopic(failed, 1)
  const { delivered, invoke } = collector()
  const isPoison = (offset: number) => offset % 20 === 7
  let invocations = 0
  const unreliable: Invoke = async (event, payload) => {
    const offsets = Object.values(event.records).flatMap((list) => list.map(({ offset }) => offset))
    return offsets.some(isPoison) || ++invocations % 5 === 0 ? failure : invoke(event, payload)
  }
  const properties = {
    BatchSize: 10,
    ...{ BisectBatchOnFunctionError: true, MaximumRetryAttempts: 1, ProvisionedPollerConfig: { MinimumPollers: 1 } },
  }
  const discarded: string[] = []
  const options = {
    deliver: async (_: unknown, messages: { body: string }[]) => {
      for (const { body } of messages) {
        const [name, [record]] = Object.entries<Delivered[]>(JSON.parse(body).payload.records)[0] as [
          string,
          [Delivered],
        ]
        discarded.push(`${name}:${record.offset}`)
      }
    },
  }
  const start = () =>
    topic.start(
      unreliable,
      { ...properties, DestinationConfig: { OnFailure: { Destination: `kafka://${failed}` } } },
      options,
    ).mapping
  const produce = () => topic.produce([0, 1, 2, 3].flatMap((partition) => records(partition, 20)))

  const first = start()
  await produce()
  await eventually(() => expect(delivered.length).toBeGreaterThan(20))
  const second = start()
  await produce()
  await eventually(() => expect(second.metrics().records).toBeGreaterThan(0))
  await first.delete()
  await produce()
  await eventually(async () => expect(await topic.groupOffsets()).toEqual([60, 60, 60, 60]))

  for (const partition of [0, 1, 2, 3]) {
    const of = delivered.filter((each) => each.partition === partition).map(({ offset }) => offset)
    expect(new Set([...of, ...[7, 27, 47]])).toEqual(new Set(upTo(60)))
    for (const offset of [7, 27, 47]) expect(discarded).toContain(`${topic.name}-${partition}:${offset}`)
  }
})
