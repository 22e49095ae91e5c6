import type pg from 'pg'
import type { WindowDefinition } from '#core/windows/definition.ts'
import { type StoredDefinition, storedDefinition } from '#core/windows/stored-definition.ts'
import type { PartitionTime } from '#core/windows/watermark.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import { prepared } from '../session/statement.ts'

/** A column of the table of a definition, and its type in the target. */
export type PlanColumn = { readonly number: number; readonly name: string; readonly type: string }

/** What the tables of a definition were made with (`tidemark.check_window`). */
export type WindowPlan = {
  readonly event: { readonly number: number; readonly type: string }
  readonly columns: readonly PlanColumn[]
  /** Empty for a keyless table. */
  readonly key: readonly PlanColumn[]
  readonly keyTypes: readonly string[]
  readonly resultTypes: readonly string[]
  /** Expressions of a group `g`: the key and the value of its record on the topic. */
  readonly recordKey: string
  readonly recordValue: string
}

/** A version of a definition that has tables. It never changes: a changed definition has another id. */
export type BuiltDefinition = {
  readonly id: string
  readonly definition: WindowDefinition
  readonly relation: number
  readonly generation: number
  readonly plan: WindowPlan
}

/** A definition as a transaction finds it. */
export type LiveDefinition = BuiltDefinition & {
  /** `shown`, or which part of it is still being computed. */
  readonly stage: 'shown' | 'rows' | 'groups'
  /** Whether the target still has the rows of its generation: a later version of it has those of the next one. */
  readonly hasRows: boolean
  /** Whether rows have to be reconciled. */
  readonly isDue: boolean
  /** In microseconds since 1970; of a definition that emits on close. */
  readonly emittedUntil: bigint | undefined
  /** The greatest watermark that any topic partition has met. */
  readonly reached: bigint | undefined
  readonly partitions: readonly (PartitionTime & { readonly topic: string; readonly topicPartition: number })[]
}

type Row = {
  readonly id: string
  readonly stage: LiveDefinition['stage']
  readonly due: boolean
  readonly emitted_until: string | null
  readonly built: {
    readonly definition: StoredDefinition
    readonly relation: number
    readonly generation: number
    readonly plan: WindowPlan
  } | null
  readonly times:
    | readonly [
        topic: string,
        topicPartition: number,
        newest: string | null,
        row: string | null,
        beacon: string | null,
        reached: string | null,
      ][]
    | null
  readonly has_rows: boolean
}

const micros = (expression: string) => `(extract(epoch from ${expression}) * 1000000)::bigint::text`

const text = `select d.id::text,
  case when d.was_shown then 'shown' else d.phase end as stage,
  d.phase is not null or exists (
    select from tidemark.window_mark m where m.relation = d.relation and m.mark > d.covers_mark
  ) as due,
  ${micros('d.emitted_until')} as emitted_until,
  case when not d.id = any ($1::bigint[])
    then jsonb_build_object('definition', d.definition, 'relation', d.relation, 'generation', d.generation, 'plan', d.plan)
  end as built,
  (
    select jsonb_agg(jsonb_build_array(w.topic, w.topic_partition, ${micros('w.newest_event')}, ${micros('w.last_row_at')},
      ${micros('p.beacon_at')}, ${micros('w.reached')}))
    from tidemark.window_watermark w
    left join tidemark.progress p on (p.consumer, p.topic, p.topic_partition) = ($2, w.topic, w.topic_partition)
    where w.definition_id = d.id
  ) as times,
  exists (
    select from tidemark.generation g where (g.relation, g.generation) = (d.relation, d.generation)
  ) as has_rows
from tidemark.window_definition d
where d.state <> 'stopped'
order by d.id`

/** Reads the definitions. What never changes of them is read once by each process. */
export class DefinitionReader {
  readonly #built = new Map<string, BuiltDefinition>()

  async read(client: pg.PoolClient | pg.Pool, { consumer }: Pick<ProgressKey, 'consumer'>): Promise<LiveDefinition[]> {
    const known = `{${[...this.#built.keys()].join(',')}}`
    const { rows } = await client.query<Row>(prepared({ text, values: [known, consumer] }))
    for (const { id, built } of rows) {
      if (built?.plan) this.#built.set(id, { id, ...built, definition: storedDefinition(built.definition) })
    }
    const present = new Set(rows.map(({ id }) => id))
    for (const id of this.#built.keys()) if (!present.has(id)) this.#built.delete(id)
    return rows.flatMap((row) => {
      const built = this.#built.get(row.id)
      return built === undefined ? [] : [liveDefinition(built, row)]
    })
  }
}

function liveDefinition(built: BuiltDefinition, { stage, due, emitted_until, times, has_rows }: Row): LiveDefinition {
  const partitions = (times ?? []).map(([topic, topicPartition, newestEvent, lastRowAt, beaconAt]) => ({
    topic,
    topicPartition,
    newestEvent: bigint(newestEvent),
    lastRowAt: bigint(lastRowAt),
    beaconAt: bigint(beaconAt),
  }))
  const reached = [bigint(emitted_until), ...(times ?? []).map(([, , , , , one]) => bigint(one))]
  return {
    ...built,
    stage,
    hasRows: has_rows,
    isDue: due && has_rows,
    emittedUntil: bigint(emitted_until),
    reached: reached.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined),
    partitions,
  }
}

const bigint = (text: string | null): bigint | undefined => (text === null ? undefined : BigInt(text))
