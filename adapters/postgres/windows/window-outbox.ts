import type pg from 'pg'

/** A value that is to be published, or with null a tombstone. Values of one key have growing numbers. */
export type OutboxRow = { readonly seq: string; readonly key: string; readonly value: string | null }

/**
 * The outbox of one topic, while this session is the only one that publishes to it. Every method uses this session, so
 * that all of them fail once the session is lost and another one may be publishing.
 */
export type HeldOutbox = {
  /** The number of topic partitions that the topic had when it was first published to. */
  topicPartitions(): Promise<number | undefined>
  noteTopicPartitions(topicPartitions: number): Promise<void>
  /** Puts the values of all groups into the outbox again, because the topic was deleted. */
  publishAgain(): Promise<void>
  /** The first rows in order, of at most `limit`, and at most 4 MB or a single row. */
  next(limit: number): Promise<readonly OutboxRow[]>
  /** Deletes rows that the topic has, and refused rows of the same keys, which are older. */
  published(rows: readonly OutboxRow[]): Promise<void>
  /** Sets aside the last one of rows of one key, and deletes the others and those refused before, which it replaces. */
  refuse(rows: readonly OutboxRow[], reason: string): Promise<void>
  /** Notes that nothing prevents publishing. */
  clearProblem(): Promise<void>
}

/** How long a refused value waits until it is tried again. */
const REFUSED_WAIT = `interval '10 minutes'`
const BATCH_BYTES = 4_000_000

/** The topics that have something to publish and are not waiting after a problem. */
export async function topicsToPublish(pool: pg.Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ topic: string }>(
    `with recursive waiting (topic) as (
       (select topic from tidemark.window_outbox where refused_at is null order by topic limit 1)
       union all
       select (
         select o.topic
         from tidemark.window_outbox o
         where o.refused_at is null
           and o.topic > w.topic
         order by o.topic
         limit 1
       )
       from waiting w
       where w.topic is not null
     )
     select t.topic
     from (
       select w.topic from waiting w
       union
       select o.topic from tidemark.window_outbox o where o.refused_at < now() - ${REFUSED_WAIT}
     ) t
     where t.topic is not null
       and not exists (
         select
         from tidemark.window_topic k
         where k.topic = t.topic
           and k.retry_at > now()
       )`,
  )
  return rows.map(({ topic }) => topic)
}

/**
 * Runs `work` as the only publisher of the topic, or returns `busy` if there is one already. Another session may become
 * the publisher as soon as this one is lost, even if `work` goes on.
 */
export async function holdOutbox<T>(
  pool: pg.Pool,
  topic: string,
  work: (outbox: HeldOutbox) => Promise<T>,
): Promise<T | 'busy'> {
  const client = await pool.connect()
  let broken = true
  try {
    const { rows } = await client.query<{ held: boolean }>('select tidemark.hold_window_topic($1) as held', [topic])
    const held = rows[0]!.held
    const result = held ? await work(outboxOf(client, topic)) : 'busy'
    if (held) await client.query('select tidemark.release_window_topic($1)', [topic])
    broken = false
    return result
  } finally {
    // A connection that may still hold the topic is closed, which releases it.
    client.release(broken)
  }
}

/** Notes why a topic cannot be published to, and that it is tried again after `waitMs`. */
export async function notePublishProblem(pool: pg.Pool, topic: string, problem: string, waitMs: number): Promise<void> {
  await pool.query(
    `insert into tidemark.window_topic as k (topic, problem, noted_at, retry_at)
     values ($1, $2, now(), now() + $3 * interval '1 millisecond')
     on conflict (topic) do update
     set problem = excluded.problem,
         noted_at = coalesce(k.noted_at, excluded.noted_at),
         retry_at = excluded.retry_at`,
    [topic, problem, waitMs],
  )
}

function outboxOf(client: pg.PoolClient, topic: string): HeldOutbox {
  return {
    async topicPartitions() {
      const { rows } = await client.query<{ topic_partitions: number | null }>(
        'select topic_partitions from tidemark.window_topic where topic = $1',
        [topic],
      )
      return rows[0]?.topic_partitions ?? undefined
    },
    async noteTopicPartitions(topicPartitions) {
      await client.query(
        `insert into tidemark.window_topic (topic, topic_partitions)
         values ($1, $2)
         on conflict (topic) do update
         set topic_partitions = excluded.topic_partitions`,
        [topic, topicPartitions],
      )
    },
    async publishAgain() {
      await client.query('select tidemark.publish_windows_again($1)', [topic])
    },
    next: (limit) => nextRows(client, topic, limit),
    async published(rows) {
      const [seqs, keys] = [rows.map(({ seq }) => seq), [...new Set(rows.map(({ key }) => key))]]
      // One statement: a refused row that stayed would be tried again, and would replace the newer value.
      await client.query(
        `with published as (
           delete from tidemark.window_outbox where seq = any ($1)
         )
         delete from tidemark.window_outbox
         where topic = $2
           and refused_at is not null
           and record_key = any ($3)`,
        [seqs, topic, keys],
      )
    },
    async refuse(rows, reason) {
      const last = rows.at(-1)!
      await client.query(
        `with replaced as (
           delete from tidemark.window_outbox
           where seq = any ($1)
              or topic = $2 and record_key = $3 and refused_at is not null and seq <> $4
         )
         update tidemark.window_outbox
         set refused_at = now(),
             refused = $5
         where seq = $4`,
        [rows.slice(0, -1).map(({ seq }) => seq), topic, last.key, last.seq, reason],
      )
    },
    async clearProblem() {
      await client.query(
        `update tidemark.window_topic
         set problem = null,
             noted_at = null,
             retry_at = null
         where topic = $1
           and problem is not null`,
        [topic],
      )
    },
  }
}

/** The sizes of values are read without the values, so that those behind the last row are not read. */
async function nextRows(client: pg.PoolClient, topic: string, limit: number): Promise<readonly OutboxRow[]> {
  const { rows } = await client.query<OutboxRow>(
    `with first as (
       (
         select seq, octet_length(record_value) as bytes
         from tidemark.window_outbox
         where topic = $1
           and refused_at is null
         order by seq
         limit $2
       )
       union all
       (
         select seq, octet_length(record_value)
         from tidemark.window_outbox
         where topic = $1
           and refused_at < now() - ${REFUSED_WAIT}
         order by seq
         limit $2
       )
       order by seq
       limit $2
     ),
     summed as (
       select seq, sum(bytes) over (order by seq) as bytes, min(seq) over () as first_seq
       from first
     )
     select o.seq, o.record_key as key, o.record_value as value
     from summed s
     join tidemark.window_outbox o using (seq)
     where s.bytes <= ${BATCH_BYTES}
        or s.bytes is null
        or s.seq = s.first_seq
     order by o.seq`,
    [topic, limit],
  )
  return rows
}
