import { beforeEach, expect, test } from 'vitest'
import type { Equality } from '#core/console/equality.ts'
import type { Unreachable } from '#core/console/values.ts'
import type { Status } from '#core/status/status.ts'
import { wellStatus } from '#test-support/console/well-status.ts'
import { makeSnapshot } from './overview.ts'

let nowMs: number
let status: () => Promise<Status>
let listed: Unreachable[]
let limits: number
let equality: Equality | null
let snapshot: ReturnType<typeof makeSnapshot>

beforeEach(() => {
  ;[nowMs, limits, listed, equality] = [Date.parse('2026-11-30T14:00:00Z'), 0, [], null]
  status = async () => wellStatus
  snapshot = makeSnapshot({
    session: {} as never,
    status: () => status(),
    slotLimit: async () => ++limits * 1_000_000,
    equality: () => equality,
    parts: { list: () => listed },
    now: () => new Date(nowMs),
  })
})

test('an idle stack has the same snapshot for a while, and one that changes has another at once', async () => {
  const first = await snapshot()
  nowMs += 5_000
  status = async () => ({ ...wellStatus, uptimeSeconds: 65, visibleUntilMsAgo: 700, retainedWalBytes: 5_000 })
  expect(await snapshot()).toBe(first)

  nowMs += 15_000
  const later = await snapshot()
  expect(later).not.toBe(first)
  expect(later.at).toBe('2026-11-30T14:00:20.000Z')

  status = async () => ({ ...wellStatus, appliedPerSecond: 7 })
  expect((await snapshot()).status?.appliedPerSecond).toBe(7)
})

test('the limit of the slot is read once a minute', async () => {
  expect((await snapshot()).slot).toEqual({ retainedBytes: 4_096, limitBytes: 1_000_000 })
  nowMs += 30_000
  await snapshot()
  expect(limits).toBe(1)
  nowMs += 31_000
  await snapshot()
  expect(limits).toBe(2)
})

test('parts that the status cannot observe are unreachable since the first look, until they answer', async () => {
  const failing = {
    kind: 'server',
    name: 'topics',
    state: 'failing',
    restarts: 0,
    errors: 0,
    lastError: 'refused',
  } as const
  status = async () => ({ ...wellStatus, components: [failing] })
  const silent = { part: 'kafka', why: 'refused', since: '2026-11-30T14:00:00.000Z', command: null }
  expect((await snapshot()).unreachable).toEqual([silent])
  nowMs += 60_000
  expect((await snapshot()).unreachable).toEqual([silent])

  status = async () => wellStatus
  // A panel that asked long ago is not believed more than the status, except about what the status does not ask.
  listed = [silent, { ...silent, part: 'functions' }] as Unreachable[]
  expect((await snapshot()).unreachable).toEqual([{ ...silent, part: 'functions' }])
})

test('Connect that does not answer is unreachable', async () => {
  const cause = 'Kafka Connect does not answer: Connect does not answer at http://127.0.0.1:1'
  status = async () => ({ ...wellStatus, capture: { ...wellStatus.capture, state: 'starting', cause } })

  expect((await snapshot()).unreachable).toMatchObject([{ part: 'connect', why: cause }])
})

test('without a status the snapshot says what does not answer', async () => {
  status = () => Promise.reject(new Error('the target does not answer', { cause: new Error('ECONNREFUSED') }))

  expect(await snapshot()).toMatchObject({
    ...{ status: null, problems: [], slot: null },
    unreachable: [{ part: 'target', why: 'the target does not answer, because ECONNREFUSED' }],
  })
})

test('the snapshot has the result of each table and no differing rows', async () => {
  const differences = [{ key: 'id = 1', source: 'x', target: null }]
  const table = { table: 'a', state: 'different', asOf: null, rows: 1, why: '1 row differs', differences } as const
  equality = { state: 'done', beganAt: '', asOf: null, why: null, tables: [table] }

  expect((await snapshot()).equality?.tables).toEqual([{ ...table, differences: [] }])
})
