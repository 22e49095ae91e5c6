import type pg from 'pg'
import { type Lsn, parseLsn } from '#core/lsn.ts'
import type {
  PlaceFacts,
  SlotFacts,
  SourceFacts,
  StopFacts,
  TableName,
  TargetFacts,
} from '#core/recovery/capture-facts.ts'

/** The source's setting; null if the database is not set up for capture. */
export type StoredSetting = { epoch: number; topicPartitions: number; captured: unknown }

/** Reads `tidemark.setting`. Needs the administrator. */
export async function readSetting(source: pg.Pool): Promise<StoredSetting | null> {
  const { rows } = await source.query<{ present: boolean }>(
    `select to_regclass('tidemark.setting') is not null as present`,
  )
  if (!rows[0]!.present) return null
  const settings = await source.query<StoredSetting>(
    'select epoch, topic_partitions as "topicPartitions", captured from tidemark.setting',
  )
  return settings.rows[0] ?? null
}

/** Reads a replication slot. Columns that a Postgres major lacks are null. */
export async function readSlot(source: pg.Pool, name: string): Promise<SlotFacts | null> {
  const { rows } = await source.query<{
    active: boolean
    confirmed: string | null
    restart: string | null
    walStatus: string | null
    invalidationReason: string | null
  }>(
    `select r.active, r.confirmed_flush_lsn::text as confirmed, r.restart_lsn::text as restart,
       r.wal_status as "walStatus", to_jsonb(r) ->> 'invalidation_reason' as "invalidationReason"
     from pg_replication_slots r
     where r.slot_name = $1`,
    [name],
  )
  const slot = rows[0]
  return (
    slot === undefined
      ? null
      : {
          active: slot.active,
          confirmedLsn: lsnOrNull(slot.confirmed),
          restartLsn: lsnOrNull(slot.restart),
          walStatus: slot.walStatus,
          invalidationReason: slot.invalidationReason,
        }
  ) satisfies SlotFacts | null
}

/** Reads the facts of the source. `setting` and `slot` were read before. */
export async function readSourceFacts(
  source: pg.Pool,
  setting: StoredSetting | null,
  slot: SlotFacts | null,
): Promise<SourceFacts> {
  const { rows } = await source.query<
    Pick<SourceFacts, 'nowMs' | 'systemIdentifier' | 'timeline' | 'hasPublication'> & { currentLsn: string }
  >(
    `select (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs",
       c.system_identifier::text as "systemIdentifier",
       ('x' || left(pg_walfile_name(position.lsn), 8))::bit(32)::integer as timeline,
       position.lsn::text as "currentLsn",
       exists (select from pg_publication where pubname = 'tidemark') as "hasPublication"
     from pg_control_system() c
     cross join pg_current_wal_insert_lsn() as position (lsn)`,
  )
  const facts = rows[0]!
  const own =
    setting === null ? { beacon: null, tablesBeingSnapshotted: 0, publicationLsn: null } : await readOwnTables(source)
  return {
    ...facts,
    currentLsn: parseLsn(facts.currentLsn),
    setting: setting && { epoch: setting.epoch, topicPartitions: setting.topicPartitions },
    slot,
    ...own,
  }
}

async function readOwnTables(
  source: pg.Pool,
): Promise<Pick<SourceFacts, 'beacon' | 'tablesBeingSnapshotted' | 'publicationLsn'>> {
  const { rows } = await source.query<{
    number: number | null
    lsn: string | null
    tablesBeingSnapshotted: number
    publication: string | null
  }>(
    `select b.number::float8 as number, b.body ->> 'lsn' as lsn,
       (select count(*)::int from tidemark.captured_table t where t.state = 'snapshotting') as "tablesBeingSnapshotted",
       (select p.lsn::text from tidemark.publication_made p) as publication
     from (select) as always
     left join tidemark.beacon b on b.slot = 0`,
  )
  const { number, lsn, tablesBeingSnapshotted, publication } = rows[0]!
  return {
    beacon: number === null ? null : { number, lsn: lsnOrNull(lsn) },
    tablesBeingSnapshotted,
    publicationLsn: lsnOrNull(publication),
  }
}

const lsnOrNull = (text: string | null): Lsn | null => (text === null ? null : parseLsn(text))

/** Reads the progress, the stops and the epochs of the target, as tidemark_apply. */
export async function readTargetFacts(target: pg.Pool): Promise<TargetFacts> {
  const progress = await target.query<
    Omit<PlaceFacts, 'beacon'> & {
      number: number | null
      lsn: string | null
      atMs: number | null
      epoch: number | null
    }
  >(
    `select consumer, topic, topic_partition as "topicPartition", next_offset::float8 as "nextOffset",
       system_identifier as "systemIdentifier", rebased as "isRebased", beacon_number::float8 as number, beacon_lsn::text as lsn,
       (extract(epoch from beacon_at) * 1000)::float8 as "atMs", beacon_epoch as epoch
     from tidemark.progress`,
  )
  const stops = await target.query<StopFacts>(
    'select consumer, topic, topic_partition as "topicPartition", reason, deliveries::float8 from tidemark.stop',
  )
  const epochs = await target.query<{ epoch: number; hasBegun: boolean }>(
    'select epoch, began_at is not null as "hasBegun" from tidemark.epoch',
  )
  const renewal = await target.query<{ isLedgerNew: boolean }>(
    'select is_ledger_new as "isLedgerNew" from tidemark.archive_renewal',
  )
  const missing = async (which: 'missing_rows' | 'missing_views') =>
    (
      await target.query<TableName>(
        `select schema_name as schema, table_name as table from tidemark.${which}() order by 1, 2`,
      )
    ).rows
  return {
    missingRows: await missing('missing_rows'),
    missingViews: await missing('missing_views'),
    progress: progress.rows.map(({ number, lsn, atMs, epoch, ...place }) => ({
      ...place,
      beacon:
        number === null || lsn === null || atMs === null || epoch === null
          ? null
          : { number, lsn: parseLsn(lsn), atMs, epoch },
    })),
    stops: stops.rows,
    epochs: epochs.rows,
    archiveRenewal: renewal.rows[0] === undefined ? null : renewal.rows[0].isLedgerNew ? 'offsets' : 'table',
  }
}
