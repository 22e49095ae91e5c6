import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DefinitionClock, isIdle, type PartitionTime, watermarkOf, windowState } from './watermark.ts'

const rules = { boundMicros: 5n, idleAfterMicros: 10n }
const silent: PartitionTime = { newestEvent: undefined, lastRowAt: undefined, beaconAt: undefined }
const time = fc.bigInt({ min: 0n, max: 60n })
const partition: fc.Arbitrary<PartitionTime> = fc.record({
  newestEvent: fc.option(time, { nil: undefined }),
  lastRowAt: fc.option(time, { nil: undefined }),
  beaconAt: fc.option(time, { nil: undefined }),
})

describe('the watermark of a definition', () => {
  test('is the least of the topic partitions that are not idle and have had an event time', () => {
    const slow = { newestEvent: 20n, lastRowAt: 100n, beaconAt: 105n }
    const fast = { newestEvent: 50n, lastRowAt: 100n, beaconAt: 105n }
    const idle = { newestEvent: 1n, lastRowAt: 90n, beaconAt: 105n }

    expect(watermarkOf([slow, fast, idle, silent], rules)).toBe(15n)
  })

  test('is the greatest when all are idle, and there is none before the first event time', () => {
    const idle = (newestEvent: bigint) => ({ newestEvent, lastRowAt: 0n, beaconAt: 10n })

    expect(watermarkOf([idle(20n), idle(30n), silent], rules)).toBe(25n)
    expect(watermarkOf([silent], rules)).toBeUndefined()
    expect(watermarkOf([], rules)).toBeUndefined()
  })

  test('is that of a model which sorts the topic partitions', () => {
    fc.assert(
      fc.property(fc.array(partition), (partitions) => {
        const timed = partitions
          .filter(({ newestEvent }) => newestEvent !== undefined)
          .sort((a, b) => Number(a.newestEvent! - b.newestEvent!))
        const deciding = timed.find((one) => !isIdle(one, rules)) ?? timed.at(-1)

        expect(watermarkOf(partitions, rules)).toBe(deciding && deciding.newestEvent! - rules.boundMicros)
      }),
    )
  })
})

type Taken = { readonly event: bigint | undefined; readonly at: bigint } | { readonly beacon: bigint }
const taken: fc.Arbitrary<Taken> = fc.oneof(
  fc.record({ event: fc.option(time, { nil: undefined }), at: time }),
  fc.record({ beacon: time }),
)

describe('the clock of a definition', () => {
  test('gives after each record the greatest watermark of all records so far', () => {
    fc.assert(
      fc.property(fc.array(partition), fc.array(taken), (others, records) => {
        const clock = new DefinitionClock(silent, others, undefined, rules)
        let own = silent
        let reached = watermarkOf(others, rules)
        for (const record of records) {
          if ('beacon' in record) {
            clock.takeBeacon(record.beacon)
            own = { ...own, beaconAt: record.beacon }
          } else {
            clock.takeRow(record.event, record.at)
            const most = (a: bigint | undefined, b: bigint | undefined) =>
              a === undefined ? b : b === undefined || a > b ? a : b
            own = {
              ...own,
              newestEvent: most(own.newestEvent, record.event),
              lastRowAt: most(own.lastRowAt, record.at),
            }
          }
          const now = watermarkOf([own, ...others], rules)
          if (now !== undefined && (reached === undefined || now > reached)) reached = now
          expect(clock.watermark).toBe(reached)
          expect(clock.own).toEqual(own)
        }
      }),
    )
  })

  test('is the same after a batch was cut in two anywhere: a restart changes nothing', () => {
    fc.assert(
      fc.property(fc.array(partition), fc.array(taken), fc.nat(20), (others, records, cut) => {
        const take = (clock: DefinitionClock, some: readonly Taken[]) => {
          for (const one of some) {
            if ('beacon' in one) clock.takeBeacon(one.beacon)
            else clock.takeRow(one.event, one.at)
          }
          return clock
        }
        const whole = take(new DefinitionClock(silent, others, undefined, rules), records)
        const first = take(new DefinitionClock(silent, others, undefined, rules), records.slice(0, cut))
        const second = take(new DefinitionClock(first.own, others, first.watermark, rules), records.slice(cut))

        expect([second.watermark, second.own]).toEqual([whole.watermark, whole.own])
      }),
    )
  })

  test('does not go back when a topic partition that was idle goes on with earlier event times', () => {
    const other = { newestEvent: 100n, lastRowAt: 100n, beaconAt: 100n }
    const clock = new DefinitionClock({ newestEvent: 3n, lastRowAt: 0n, beaconAt: 50n }, [other], undefined, rules)
    expect(clock.watermark).toBe(95n)

    clock.takeRow(4n, 101n)

    expect(clock.watermark).toBe(95n)
  })
})

describe('a window', () => {
  const end = 100n
  const window = { end, allowedLatenessMicros: 20n, closes: true }

  test.each([
    [undefined, 0, 'open'],
    [99n, 0, 'open'],
    [100n, 0, 'final'],
    [119n, 2, 'revised'],
    [120n, 2, 'closed'],
  ] as const)('is, at watermark %s and with %i late rows, %s', (watermark, late, state) => {
    expect(windowState(window, watermark, late)).toBe(state)
  })

  test('never closes when rows that are later than allowed count', () => {
    expect(windowState({ ...window, closes: false }, 1_000n, 0)).toBe('final')
    expect(windowState({ ...window, closes: false }, 1_000n, 1)).toBe('revised')
  })
})
