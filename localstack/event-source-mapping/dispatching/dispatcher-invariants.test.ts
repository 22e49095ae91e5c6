import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { InvocationAnswer } from '#localstack/lambda-host/invocation/invocation.ts'
import { answeredDispatcher, failure, success, throttle } from '#test-support/kafka/answered-dispatcher.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Records = Record<string, number[]>

/** What the function does with a batch. `seed` chooses the offsets that it reports. */
type Act = { kind: 'accept' | 'fail' | 'throttle' | 'report' | 'report nonsense'; seed: number }

const acts = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'accept' as const,
      'fail' as const,
      'throttle' as const,
      'report' as const,
      'report nonsense' as const,
    ),
    seed: fc.nat(),
  }),
  { maxLength: 40 },
)

const settings = fc.record({
  counts: fc.array(fc.nat(12), { minLength: 1, maxLength: 3 }),
  batchSize: fc.integer({ min: 1, max: 8 }),
  concurrency: fc.integer({ min: 1, max: 3 }),
  bisectBatch: fc.boolean(),
  retries: fc.option(fc.nat(3), { nil: undefined }),
  redelivery: fc.constantFrom('from-first-failed' as const, 'failed-only' as const),
  batchesInFlight: fc.constantFrom(1 as const, 2 as const),
})

function answer(records: Records, { kind, seed }: Act): { answer: InvocationAnswer; accepted: Records } {
  if (kind === 'accept') return { answer: success, accepted: records }
  if (kind === 'fail') return { answer: failure, accepted: {} }
  if (kind === 'throttle') return { answer: throttle, accepted: {} }
  const [name, offsets] = Object.entries(records)[seed % Object.keys(records).length]!
  const offset = kind === 'report' ? offsets[seed % offsets.length]! : 1_000
  const batchItemFailures = [{ itemIdentifier: { partition: name, offset } }]
  const accepted = kind === 'report' ? { ...records, [name]: offsets.filter((each) => each !== offset) } : {}
  return { answer: { ...success, payload: Buffer.from(JSON.stringify({ batchItemFailures })) }, accepted }
}

test('whatever a function answers, every record is accepted or discarded, and no offset is reported before that', async () => {
  await fc.assert(
    fc.asyncProperty(settings, acts, async ({ counts, retries, ...options }, script) => {
      const processed = new Map<string, number>()
      const settled = new Set<string>()
      const firstSeen = new Map<string, number[]>()
      const set = answeredDispatcher(counts.length, {
        ...options,
        ...(retries !== undefined && { maximumRetryAttempts: retries }),
        reportsItemFailures: true,
        discard: async ({ batch }) => {
          const { records } = JSON.parse(batch.payload.toString())
          for (const [name, offsets] of Object.entries<number[]>(records))
            for (const offset of offsets) settled.add(`${name}:${offset}`)
        },
        onProcessed: (name, next) => {
          expect(next).toBeGreaterThan(processed.get(name) ?? 0)
          processed.set(name, next)
          for (let offset = 0; offset < next; offset++) expect(settled).toContain(`${name}:${offset}`)
        },
      })
      counts.forEach((count, partition) => {
        if (count > 0) set.arrive(partition, count)
      })
      set.dispatcher.assign(set.sources)

      for (let index = 0, idle = 0; idle < 3; ) {
        const call = set.calls[index]
        if (call === undefined) {
          idle++
          await vi.advanceTimersByTimeAsync(20_000)
          continue
        }
        idle = 0
        for (const [name, offsets] of Object.entries(call.records)) {
          const seen = firstSeen.get(name) ?? []
          firstSeen.set(name, [...seen, ...offsets.filter((offset) => !seen.includes(offset))])
        }
        const given = answer(call.records, script[index++] ?? { kind: 'accept', seed: 0 })
        for (const [name, offsets] of Object.entries(given.accepted))
          for (const offset of offsets) settled.add(`${name}:${offset}`)
        call.answer(given.answer)
        await vi.advanceTimersByTimeAsync(0)
      }

      counts.forEach((count, partition) => {
        if (count === 0) return
        expect(processed.get(`t-${partition}`)).toBe(count)
        expect(firstSeen.get(`t-${partition}`)).toEqual(Array.from({ length: count }, (_, offset) => offset))
      })
    }),
    { numRuns: 300 },
  )
})
