import { hintFor } from '#terminal/table-names.ts'
import { followTopics, type TopicState } from './follow-topics.ts'
import { makeRecentRows } from './recent-rows.ts'
import { storePositions } from './stored-positions.ts'
import { noTarget, type TargetKnowledge } from './target-knowledge.ts'
import type { Brokers } from './topic-records.ts'
import { describeRecord, userEventsTopic, type WatchedChange } from './watched-change.ts'

/** What is watched, from which positions, and where the output goes. */
export type Watch = {
  readonly brokers: Brokers
  readonly states: ReadonlyMap<string, TopicState>
  readonly target: TargetKnowledge
  /** They advance with what was shown. */
  readonly positions: Map<string, number[]>
  /** The directory in which positions are stored for the next watch. */
  readonly directory: string
  /** `schema.table`; undefined for every table. */
  readonly table: string | undefined
  readonly signal: AbortSignal
  readonly print: (change: WatchedChange) => void
  readonly report: (what: string) => void
}

const storeEveryMs = 1_000

/** Prints changes until `signal` aborts. Positions are stored every second, and at the end. */
export async function watchTopics(watch: Watch): Promise<void> {
  const { brokers, states, target, positions, directory, table, signal, print, report } = watch
  const known = { contracts: target.contracts, rows: makeRecentRows(), met: new Set<string>() }
  let storedAt = performance.now()
  const store = () => storePositions(directory, states, positions, table)
  await store()
  if (table !== undefined && table !== userEventsTopic && target !== noTarget && !target.contracts.has(table)) {
    const hint = hintFor('table', table, [...target.contracts.keys()])
    report(`No captured table is called ${table} now (its changes are shown once there is one): ${hint}`)
  }
  await followTopics(brokers, positions, {
    signal,
    take: async (record) => {
      const change = describeRecord(record, known)
      if (change !== undefined && (table === undefined || change.table === table)) print(await target.complete(change))
      if (performance.now() - storedAt < storeEveryMs) return
      storedAt = performance.now()
      await store()
    },
    onTrouble: (message) => report(`The brokers do not answer at the moment, trying again: ${message}`),
  })
  await store()
}
