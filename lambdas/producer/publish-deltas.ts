import type { KeyedRecord, RecordPublisher } from '#adapters/kafka/record-publisher.ts'
import { type Clock, paced } from './pace.ts'
import { type DeltasPayload, eventCount } from './payload.ts'
import type { Random } from './pick.ts'
import { makeTally, type ProducerAnswer } from './tally.ts'
import { makeUserDeltas, type UserDelta } from './user-deltas.ts'

export type PublishDeltasOptions = {
  openPublisher: () => Promise<RecordPublisher>
  clock: Clock
  /** Milliseconds since 1970. */
  now: () => number
  random: Random
  print: (line: string) => void
}

/**
 * Publishes user deltas until the payload's count is reached or `signal` aborts. All are acknowledged when it answers.
 */
export function makePublishDeltas({ openPublisher, clock, now, random, print }: PublishDeltasOptions) {
  return async (payload: DeltasPayload, signal: AbortSignal): Promise<ProducerAnswer> => {
    const publisher = await openPublisher()
    try {
      const nextDelta = makeUserDeltas({ ...payload, run: now(), random, now })
      const tally = makeTally(clock.now)
      const total = eventCount(payload)
      const pace = { total, perSecond: payload.eventsPerSecond, largest: 1_000, signal }
      for await (const count of paced(pace, clock)) {
        const deltas = Array.from({ length: count }, nextDelta)
        await publisher.publish(deltas.map(toRecord))
        for (const delta of deltas) {
          tally.add(delta.op, delta)
          if (payload.print) print(JSON.stringify(delta))
        }
      }
      return tally.answer(total)
    } finally {
      await publisher.close()
    }
  }
}

function toRecord(delta: UserDelta): KeyedRecord {
  return { key: String(delta.id), value: JSON.stringify(delta) }
}
