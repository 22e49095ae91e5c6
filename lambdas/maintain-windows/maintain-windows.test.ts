import type { MSKEvent, MSKRecord } from 'aws-lambda'
import { expect, test } from 'vitest'
import { NotYetAppliedError, type Windows } from '#adapters/postgres/windows/windows.ts'
import { makeMaintainWindows } from './maintain-windows.ts'
import type { PublishSummary } from './publish-windows.ts'

const record = (topic: string, partition: number, offset: number): MSKRecord => ({
  topic,
  partition,
  offset,
  timestamp: 1000,
  timestampType: 'CREATE_TIME',
  headers: [],
  ...({ value: 'e30=' } as { key: string; value: string }),
})

const eventOf = (...records: MSKRecord[]): MSKEvent => ({
  eventSource: 'aws:kafka',
  eventSourceArn: 'arn:aws:kafka:us-east-1:000000000000:cluster/c/1',
  bootstrapServers: '127.0.0.1:9092',
  records: Object.groupBy(records, ({ topic, partition }) => `${topic}-${partition}`) as MSKEvent['records'],
})

const applied = { kind: 'applied', duplicates: 0, effect: { rows: 3, groups: 2, committedAtMs: 4_000 } } as const

function setUp(given: Partial<Windows> = {}, published: PublishSummary = { published: 2, refused: 0, problems: [] }) {
  const lines: string[] = []
  const budgets: number[] = []
  const handler = makeMaintainWindows({
    topic: 'changes',
    windows: {
      apply: async () => applied,
      maintain: async (budgetMs) => void budgets.push(budgetMs),
      ...given,
    },
    countStopped: async () => 1,
    publish: async () => published,
    now: () => 5_000,
    print: (line) => lines.push(line),
  })
  return { handler, lines, budgets, metrics: () => JSON.parse(lines.at(-1)!) }
}

test('a topic partition that the latest state has not applied yet is delivered again, and the others go on', async () => {
  const { handler, lines, metrics } = setUp({
    apply: async ({ topicPartition }) => {
      if (topicPartition === 1) throw new NotYetAppliedError('changes-1', 7)
      return applied
    },
  })

  const response = await handler(eventOf(record('changes', 0, 3), record('changes', 1, 7), record('changes', 1, 8)))

  expect(response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual([
    { partition: 'changes-1', offset: 7 },
    { partition: 'changes-1', offset: 8 },
  ])
  expect(metrics()).toMatchObject({ WindowRows: 3, WindowGroups: 2, FailedTopicPartitions: 1 })
  // Waiting for the latest state is usual, so it is not in the log.
  expect(lines).toHaveLength(1)
})

test('a topic partition that is stopped, and a record of another topic, are delivered again with the reason in the log', async () => {
  const { handler, lines } = setUp({ apply: async () => ({ kind: 'stopped', atOffset: 3, reason: 'a gap' }) })

  const response = await handler(eventOf(record('changes', 0, 3), record('others', 0, 1)))

  expect(response.batchItemFailures).toHaveLength(2)
  expect(lines.join('\n')).toContain('changes-0 is stopped at offset 3: a gap')
  expect(lines.join('\n')).toContain('others, which it does not consume')
})

test('what no record does is done after each delivery, and for longer by the schedule', async () => {
  const { handler, budgets, metrics } = setUp()

  await handler(eventOf(record('changes', 0, 3)))
  await handler({} as MSKEvent)

  expect(budgets[1]).toBeGreaterThan(budgets[0]!)
  expect(metrics()).toMatchObject({ StoppedDefinitions: 1, FailedReconciliations: 0 })
})

test('records that are applied are not delivered again when reconciling fails', async () => {
  const { handler, lines, metrics } = setUp({
    maintain: async () => {
      throw new Error('no room left')
    },
  })

  expect((await handler(eventOf(record('changes', 0, 3)))).batchItemFailures).toEqual([])
  expect(lines[0]).toContain('windows are not reconciled: Error: no room left')
  expect(metrics()).toMatchObject({ FailedReconciliations: 1 })
})

test('a topic that cannot be published to is in the log, and the records are not delivered again', async () => {
  const reason = new Error('its records expire')
  const { handler, lines, metrics } = setUp({}, { published: 0, refused: 0, problems: [{ topic: 'rides', reason }] })

  const response = await handler(eventOf(record('changes', 0, 3)))

  expect(response.batchItemFailures).toEqual([])
  expect(lines[0]).toContain('rides is not published to: Error: its records expire')
  expect(metrics()).toMatchObject({ FailedTopics: 1 })
})
