import { setTimeout } from 'node:timers/promises'
import { CONSUMERS } from '#core/fixed-names.ts'
import { countCapturedChanges } from '#core/status/captured-changes.ts'
import type { ConnectorStatus, FunctionHealth, MappingHealth } from '#core/status/health.ts'
import { eachStage } from '#core/status/latencies.ts'
import type {
  ArchiveObservation,
  Latest,
  SourceObservation,
  TargetObservation,
  TopicObservation,
  WindowsOfDefinition,
} from '#core/status/observations.ts'
import { Rate } from '#core/status/rate.ts'
import { describeStatus, type Status } from '#core/status/status.ts'
import { TableChanges } from '#core/status/table-changes.ts'

/** What a status is made of. Each may reject, and the status then says so. What is undefined stays unknown. */
export type Observers = {
  readonly source: (() => Promise<SourceObservation>) | undefined
  readonly target: () => Promise<TargetObservation>
  readonly topics: (() => Promise<TopicObservation>) | undefined
  readonly connector: (() => Promise<ConnectorStatus | undefined>) | undefined
  readonly archive: () => Promise<ArchiveObservation>
  readonly windows: () => Promise<WindowsOfDefinition[]>
  readonly mappings: () => Promise<MappingHealth[]>
  readonly functions: () => Promise<FunctionHealth[]>
}

/** How long a status is returned again. */
const KEPT_MS = 1_500
/** A part that takes longer is one that does not answer. */
const ANSWER_MS = 5_000
/** The period of rates. */
const RATE_MS = 30_000

/**
 * Makes a status whenever it is asked for, of what can be observed from outside. Memory of processes, servers that
 * restart and latencies are known to nobody but the ones who run them, so they are absent. `now` is in milliseconds.
 */
export function makeAskedStatus(observers: Observers, now: () => number): () => Promise<Status> {
  const startedMs = now()
  const seen = makeMemory(observers, now)
  let last: { readonly status: Promise<Status>; readonly untilMs: number } | undefined
  const ask = async (): Promise<Status> => {
    // The ends of topics are read before the target. Otherwise records that are applied meanwhile would look like a lag.
    const others = Promise.all([
      ...[seen.source(), seen.connector(), seen.archive(), seen.windows(), seen.mappings(), seen.functions()],
    ])
    await seen.topics()
    await Promise.all([seen.target(), others])
    const status = describeStatus({ nowMs: now(), startedMs, ...seen.parts() })
    const isKnown = ({ name }: Status['components'][number]) =>
      name !== 'connector' || observers.connector !== undefined
    return { ...status, components: status.components.filter(isKnown) }
  }
  return () => {
    if (last === undefined || now() >= last.untilMs) last = { status: ask(), untilMs: now() + KEPT_MS }
    return last.status
  }
}

/** Keeps the last value of each part, which is shown with the error while the part does not answer. */
function makeMemory(observers: Observers, now: () => number) {
  const kept = {
    source: {} as Latest<SourceObservation>,
    target: {} as Latest<TargetObservation & { topics: TopicObservation | undefined }>,
    topics: {} as Latest<TopicObservation>,
    connector: {} as Latest<ConnectorStatus | undefined>,
    archive: {} as Latest<ArchiveObservation>,
    windows: {} as Latest<WindowsOfDefinition[]>,
    mappings: {} as Latest<MappingHealth[]>,
    functions: {} as Latest<FunctionHealth[]>,
  }
  type Kept = typeof kept
  const changes = new TableChanges()
  const captured = new Rate(RATE_MS)
  const applied = new Rate(RATE_MS)
  const rates = { captured: 0, applied: 0 }
  const observe = async <K extends keyof Kept>(
    part: K,
    work: (() => Promise<Kept[K]['value']>) | undefined,
  ): Promise<void> => {
    if (work === undefined) return
    try {
      kept[part] = { value: await inTime(work()) } as Kept[K]
    } catch (error) {
      kept[part] = { ...kept[part], error: (error as Error).message }
    }
  }
  return {
    topics: () => observe('topics', observers.topics),
    connector: () => observe('connector', observers.connector),
    archive: () => observe('archive', observers.archive),
    windows: () => observe('windows', observers.windows),
    mappings: () => observe('mappings', observers.mappings),
    functions: () => observe('functions', observers.functions),
    source: () => observe('source', observers.source),
    async target() {
      const topics = kept.topics.value
      await observe('target', async () => ({ ...(await observers.target()), topics }))
      const { value } = kept.target
      if (value !== undefined && kept.target.error === undefined) changes.see(value, now())
    },
    parts() {
      const source = kept.source.value
      const total = source && countCapturedChanges(source, kept.topics.value)
      if (total !== undefined) rates.captured = Math.max(0, captured.perSecond(total, now()))
      const done = source && kept.target.value && countApplied(kept.target.value, source)
      if (done !== undefined) rates.applied = Math.max(0, applied.perSecond(done, now()))
      const nothing = { commitToVisibleMs: null, stagesMs: eachStage(() => null) }
      return {
        ...kept,
        services: [],
        mappings: kept.mappings.value ?? [],
        functions: kept.functions.value ?? [],
        activity: { changes: 0, changesPerSecond: rates.applied, quarantined: 0, ...nothing },
        latencyOfDay: { lastDay: nothing, series: [] },
        capturedPerSecond: rates.captured,
        changedAtMs: changes.changedAtMs,
        residentBytes: null,
      }
    },
  }
}

/** The records that were ever applied. Each beacon is a record in every topic partition, but not a change. */
function countApplied({ progress }: TargetObservation, { topicPartitions }: SourceObservation): number {
  const own = progress.filter(({ consumer }) => consumer === CONSUMERS.latestState || consumer === CONSUMERS.userState)
  const beacon = Math.max(0, ...own.map((each) => each.beacon ?? 0))
  return own.reduce((sum, { nextOffset }) => sum + nextOffset, -beacon * topicPartitions)
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  answer.catch(() => undefined)
  const late = setTimeout(ANSWER_MS, undefined, { ref: false }).then(() => {
    throw new Error(`there is no answer within ${ANSWER_MS / 1_000} s`)
  })
  return Promise.race([answer, late])
}
