import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import type { ScannedRecord } from '#adapters/iceberg/archive/archive-scan.ts'
import type { RecordBytes } from '#adapters/postgres/delivery/quarantine.ts'
import type { Beacon } from '#core/wire/change.ts'
import { readBeacon } from './archived-control.ts'
import { type BinaryRow, decodeRows, encodeRows, int32, int64, readInt64 } from './copy-binary.ts'

/** A topic partition. */
export type StreamName = { readonly topic: string; readonly topicPartition: number }

/** A record in the form in which it is replayed. */
export type SpooledRecord = StreamName & {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | undefined
  /** Undefined for a tombstone, an erased record, and a record from after the cut. */
  readonly value: string | undefined
  /** JSON `[[name, value], …]`. */
  readonly headers: string | undefined
  readonly bytes: () => RecordBytes
  readonly role: RecordRole
}

/** How a record depends on records of other topic partitions. */
export type RecordRole = (typeof ROLES)[number]
const ROLES = ['none', 'truncate', 'key left', 'key taken'] as const

/** Where the replay of a topic partition ends. */
export type StreamBound = StreamName & {
  /** The first offset that is not replayed. */
  readonly to: number
  /** Records that were committed after this time have no value; µs since 1970. */
  readonly latestUs?: number
}

/** Records of the archive, which a table of the scratch database puts in order. */
export class RecordSpool {
  records = 0
  /** The number of topic partitions, according to the beacons; 0 before one was read. */
  topicPartitions = 0
  /** For each topic partition, the greatest number and the latest commit (µs since 1970) of its beacons. */
  readonly beacons = new Map<number, { number: number; committedUs: number }>()
  /** The first epoch whose initial snapshot was read. */
  firstEpoch: number | undefined
  readonly #pool: pg.Pool
  readonly #streams = new Map<string, number>()

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Creates the tables of the spool. */
  async open(): Promise<void> {
    await this.#pool.query(`
      create schema rebuild;
      create table rebuild.stream (
        stream integer primary key,
        topic text not null,
        topic_partition integer not null,
        next_offset bigint not null default 0,
        bound bigint not null default 0,
        latest_us bigint
      );
      create unlogged table rebuild.record (
        stream integer not null,
        record_offset bigint not null,
        timestamp_ms bigint not null,
        committed_us bigint not null,
        lsn bigint not null,
        role integer not null,
        beacon bigint,
        beacon_epoch bigint,
        key bytea,
        value bytea,
        headers bytea
      )`)
  }

  /** Adds records, in any order. */
  async add(portions: AsyncIterable<readonly ScannedRecord[]>): Promise<void> {
    const client = await this.#pool.connect()
    try {
      await pipeline(
        encodeRows(mapPortions(portions, (record) => this.#rowOf(record))),
        client.query(copyFrom('copy rebuild.record from stdin (format binary)')),
      )
      for (const [name, stream] of this.#streams) {
        const { topic, topicPartition } = streamName(name)
        await client.query(
          'insert into rebuild.stream (stream, topic, topic_partition) values ($1, $2, $3) on conflict do nothing',
          [stream, topic, topicPartition],
        )
      }
    } finally {
      client.release()
    }
  }

  /** Creates the index. Throws an Error that names an offset which is there twice. */
  async seal(): Promise<void> {
    try {
      await this.#pool.query('create unique index if not exists record_place on rebuild.record (stream, record_offset)')
    } catch (error) {
      const { code, detail = '' } = error as { code?: string; detail?: string }
      const [, stream, offset] = /=\((\d+), (\d+)\)/.exec(detail) ?? []
      if (code !== '23505' || stream === undefined) throw error
      const [name] = [...this.#streams].find(([, number]) => number === Number(stream))!
      throw new Error(
        `offset ${offset} of ${name} is in the archive twice, so nothing can be rebuilt from it: run npm run archive -- check`,
        { cause: error },
      )
    }
    await this.#pool.query('analyze rebuild.record, rebuild.stream')
  }

  /** The topic partitions that have records, with the offset after the last of each. */
  async ends(): Promise<(StreamName & { readonly end: number })[]> {
    const { rows } = await this.#pool.query<{ topic: string; topic_partition: number; ended: string }>(
      `select s.topic, s.topic_partition, max(r.record_offset) + 1 as ended
       from rebuild.stream s
       join rebuild.record r using (stream)
       group by s.topic, s.topic_partition
       order by s.topic, s.topic_partition`,
    )
    return rows.map((row) => ({ topic: row.topic, topicPartition: row.topic_partition, end: Number(row.ended) }))
  }

  /** Runs a query that uses `rebuild.record r join rebuild.stream s`. */
  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<Row[]> {
    return (await this.#pool.query<Row>(text, values)).rows
  }

  /**
   * Reads the records before the bounds that were not read before. Those of a topic partition come in the order of
   * their offsets, and those of all topic partitions in the order in which capture sent them. Topic partitions without
   * a bound are left out.
   */
  async *read(bounds: readonly StreamBound[]): AsyncGenerator<SpooledRecord> {
    await this.#pool.query(
      `update rebuild.stream s
       set bound = greatest(s.next_offset, b.bound), latest_us = b.latest_us
       from unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[]) as b (topic, topic_partition, bound, latest_us)
       where (s.topic, s.topic_partition) = (b.topic, b.topic_partition)`,
      [
        bounds.map(({ topic }) => topic),
        bounds.map(({ topicPartition }) => topicPartition),
        bounds.map(({ to }) => to),
        bounds.map(({ latestUs }) => latestUs ?? null),
      ],
    )
    const names = new Map([...this.#streams].map(([name, stream]) => [stream, streamName(name)]))
    const client = await this.#pool.connect()
    let broken = true
    try {
      await client.query("set work_mem = '256MB'")
      for await (const row of decodeRows(client.query(copyTo(inOrder)))) yield spooledRecord(row, names)
      broken = false
    } finally {
      client.release(broken)
    }
    await this.#pool.query('update rebuild.stream set next_offset = bound')
  }

  #rowOf(record: ScannedRecord): BinaryRow {
    const { tableName, lsn, timestampMs, sourceTsUs, encoding } = record
    const { beacon, begunEpoch } = readBeacon(tableName === 'tidemark.beacon' ? record.value : null)
    if (begunEpoch !== undefined) this.firstEpoch = Math.min(begunEpoch, this.firstEpoch ?? begunEpoch)
    const committedUs = sourceTsUs ?? timestampMs * 1000
    if (beacon !== undefined) this.#note(beacon, record.topicPartition, committedUs)
    this.records++
    return [
      int32(this.#streamOf(record)),
      int64(record.offset),
      int64(timestampMs),
      int64(committedUs),
      int64(lsn ?? 0),
      int32(ROLES.indexOf(roleOf(record))),
      beacon === undefined ? null : int64(beacon.number),
      beacon === undefined ? null : int64(beacon.epoch),
      bytesOf(record.key, encoding),
      bytesOf(record.value, encoding),
      bytesOf(record.headers, null),
    ]
  }

  #note({ number, topicPartitions }: Beacon, topicPartition: number, committedUs: number): void {
    const known = this.beacons.get(topicPartition) ?? { number, committedUs }
    this.beacons.set(topicPartition, {
      number: Math.max(known.number, number),
      committedUs: Math.max(known.committedUs, committedUs),
    })
    this.topicPartitions = Math.max(this.topicPartitions, topicPartitions)
  }

  #streamOf({ topic, topicPartition }: StreamName): number {
    const name = `${topic}-${topicPartition}`
    const known = this.#streams.get(name)
    if (known !== undefined) return known
    this.#streams.set(name, this.#streams.size + 1)
    return this.#streams.size
  }
}

/**
 * One connector sends all records, so they are ordered by the time at which they were sent, and within a millisecond by
 * their place in the source's log, where the record that leaves a key comes before the one that takes it. A record
 * never comes before one with a lower offset of the same topic partition: if the clock was set back, it counts as sent
 * together with the latest one before it.
 */
const inOrder = `copy (
  select r.stream, r.record_offset, r.timestamp_ms, r.role, r.key,
    case when r.committed_us <= coalesce(r.latest_us, r.committed_us) then r.value end, r.headers
  from (
    select r.*, s.latest_us,
      max(array[r.timestamp_ms, r.committed_us, r.lsn, r.role]) over (partition by r.stream order by r.record_offset) as sent
    from rebuild.record r
    join rebuild.stream s using (stream)
    where r.record_offset >= s.next_offset
      and r.record_offset < s.bound
  ) r
  order by r.sent, r.stream, r.record_offset
) to stdout (format binary)`

function roleOf({ op, headers }: ScannedRecord): RecordRole {
  if (op === 't') return 'truncate'
  if (headers?.includes('"__debezium.newkey"')) return 'key left'
  return headers?.includes('"__debezium.oldkey"') ? 'key taken' : 'none'
}

function spooledRecord(row: BinaryRow, names: ReadonlyMap<number, StreamName>): SpooledRecord {
  const [stream, offset, timestamp, role, key, value, headers] = row
  const text = (bytes: Buffer | null | undefined) => bytes?.toString() ?? undefined
  return {
    ...names.get(stream!.readInt32BE())!,
    offset: readInt64(offset!),
    timestampMs: readInt64(timestamp!),
    key: text(key),
    value: text(value),
    headers: text(headers),
    bytes: () => ({ key: key ?? undefined, value: value ?? undefined }),
    role: ROLES[role!.readInt32BE()]!,
  }
}

function streamName(name: string): StreamName {
  const [, topic, topicPartition] = /^(.*)-(\d+)$/.exec(name)!
  return { topic: topic!, topicPartition: Number(topicPartition) }
}

/**
 * Bytes that are not UTF-8 are in base64 in the archive. They are replayed as they were sent, so the result is that of
 * apply-latest-state.
 */
const bytesOf = (text: string | null, encoding: ScannedRecord['encoding']): Buffer | null =>
  text === null ? null : Buffer.from(text, encoding === 'base64' ? 'base64' : 'utf8')

async function* mapPortions<A, B>(portions: AsyncIterable<readonly A[]>, map: (one: A) => B): AsyncGenerator<B[]> {
  for await (const portion of portions) yield portion.map(map)
}
