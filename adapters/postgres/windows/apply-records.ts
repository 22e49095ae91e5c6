import type pg from 'pg'
import type { TableRegister } from '#core/tables/table-register.ts'
import { TouchedRowsOfBatch, type WindowRecord } from '#core/windows/touched-rows.ts'
import { DefinitionClock, type PartitionTime } from '#core/windows/watermark.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import { LOCK_CLASSES } from '../session/advisory-locks.ts'
import { prepared, together } from '../session/statement.ts'
import { blamingDefinition, ImageChangedError } from './definition-failure.ts'
import { groupsStatement } from './group-statements.ts'
import { type ImageChange, isDisturbed } from './image-statement.ts'
import type { LiveDefinition } from './live-definitions.ts'
import { recordsStatement } from './row-statements.ts'
import { momentOf } from './window-columns.ts'

/** What a delivery changed. */
export type WindowsEffect = {
  /** How many rows of images were written. */
  readonly rows: number
  /** How many groups that users see have changed. */
  readonly groups: number
  /** When the source committed the last streamed change, in ms since 1970. */
  readonly committedAtMs: number | undefined
}

/**
 * Applies records in the transaction that holds the progress: image, groups, watermarks and outbox. `register` has the
 * contracts before the records, and those after them when this returns.
 */
export async function applyRecords(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly WindowRecord[],
  register: TableRegister,
  definitions: readonly LiveDefinition[],
) {
  const watched = definitions.map((live) => watch(live, key))
  const batch = new TouchedRowsOfBatch(register, watched)
  for (const record of records) batch.take(record)
  const byId = new Map(definitions.map((live) => [live.id, live]))
  const touched = [...batch.touched()]
  // Reconciliation has a definition alone. The later version is locked first, as where it takes the place of the former,
  // so that two transactions never wait for each other.
  const moved = watched.filter(hasHadRows)
  const ids = [...new Set([...touched.map(({ definition }) => definition.id), ...moved.map(({ id }) => id)])]
  const changes = await together(client, [
    ...(ids.length === 0 ? [] : [() => lockShared(client, ids)]),
    ...touched.map((rows) => () => changeImage(client, byId.get(rows.definition.id)!, rows)),
  ] as (() => Promise<{ live: LiveDefinition; change: ImageChange } | undefined>)[])
  const changed = changes.filter((one) => one !== undefined)
  for (const { live, change } of changed) {
    if (isDisturbed(live, change)) throw new ImageChangedError(live.definition.name)
  }
  const groups = await together(client, [
    ...changed
      .filter(({ change }) => change.starts !== null)
      .map(
        ({ live, change }) =>
          () =>
            changeGroups(client, live, change),
      ),
    ...(moved.length === 0 ? [] : [() => keepTimes(client, key, moved)]),
    ...batch.marks.map(({ relation, reason }) => async () => {
      await client.query('select tidemark.mark_windows($1, $2)', [relation, reason])
      return 0
    }),
  ])
  const effect: WindowsEffect = {
    rows: changed.reduce((sum, { change }) => sum + Number(change.written), 0),
    groups: groups.reduce((sum, one) => sum + one, 0),
    committedAtMs: batch.committedAtMs,
  }
  return {
    isMarked: batch.marks.length > 0,
    // A table of a view may have come without a record of it, so that every beacon counts.
    mayBeUnsettled: batch.hasContracts || batch.beacon !== undefined,
    work: { effect, committedAtMs: batch.committedAtMs ?? null, beacon: batch.beacon },
  }
}

type Watched = ReturnType<typeof watch>

/** A definition with the clock of its time in this topic partition. */
function watch(live: LiveDefinition, { topic, topicPartition }: ProgressKey) {
  const isOwn = (one: LiveDefinition['partitions'][number]) =>
    one.topic === topic && one.topicPartition === topicPartition
  const { definition, plan, relation, generation, id } = live
  const own = live.partitions.find(isOwn) ?? nothingKnown
  const others = live.partitions.filter((one) => !isOwn(one))
  const clock = new DefinitionClock(own, others, live.reached, definition)
  return {
    id,
    relation,
    // Rows that are gone are not asked for: no generation has this number.
    generation: live.hasRows ? generation : 0,
    eventColumn: plan.event.number,
    futureAfterMicros: definition.futureAfterMicros,
    slideMicros: definition.window.slideMicros,
    clock,
    before: clock.own,
  }
}

/** A beacon alone is not stored: the progress has it. */
const hasHadRows = ({ clock: { own }, before }: Watched): boolean =>
  own.newestEvent !== before.newestEvent || own.lastRowAt !== before.lastRowAt

const nothingKnown: PartitionTime = { newestEvent: undefined, lastRowAt: undefined, beaconAt: undefined }

async function lockShared(client: pg.PoolClient, ids: readonly string[]): Promise<undefined> {
  await client.query(
    prepared({
      text: 'select pg_advisory_xact_lock_shared($1, id) from unnest($2::integer[]) as id',
      values: [LOCK_CLASSES.windowDefinition, `{${[...ids].sort((a, b) => Number(b) - Number(a)).join(',')}}`],
    }),
  )
}

function changeImage(client: pg.PoolClient, live: LiveDefinition, rows: Parameters<typeof recordsStatement>[1]) {
  return blamingDefinition(live, async () => {
    const { rows: changes } = await client.query<ImageChange>(prepared(recordsStatement(live, rows)))
    return { live, change: changes[0]! }
  })
}

function changeGroups(client: pg.PoolClient, live: LiveDefinition, change: ImageChange): Promise<number> {
  return blamingDefinition(live, async () => {
    const { rows } = await client.query<{ changed: string }>(prepared(groupsStatement(live, change)))
    return Number(rows[0]!.changed)
  })
}

/** Stores how far event time has come in the topic partition. */
async function keepTimes(client: pg.PoolClient, key: ProgressKey, moved: readonly Watched[]): Promise<number> {
  const list = (of: (one: Watched) => bigint | string | undefined) =>
    `{${moved.map((one) => of(one) ?? 'null').join(',')}}`
  await client.query(
    prepared({
      text: `insert into tidemark.window_watermark (definition_id, topic, topic_partition, newest_event, last_row_at, reached)
       select u.id, $1, $2, ${momentOf('u.newest')}, ${momentOf('u.at')} at time zone 'UTC', ${momentOf('u.reached')}
       from unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) as u (id, newest, at, reached)
       where exists (select from tidemark.window_definition d where d.id = u.id)
       on conflict (definition_id, topic, topic_partition) do update
       set newest_event = excluded.newest_event, last_row_at = excluded.last_row_at, reached = excluded.reached`,
      values: [
        key.topic,
        key.topicPartition,
        list(({ id }) => id),
        list(({ clock }) => clock.own.newestEvent),
        list(({ clock }) => clock.own.lastRowAt),
        list(({ clock }) => clock.watermark),
      ],
    }),
  )
  return 0
}
