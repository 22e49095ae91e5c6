import type pg from 'pg'
import {
  isLastPart,
  isPart,
  joinRecordParts,
  type OpenRecord,
  type PossiblePart,
  type StoredPart,
} from '#core/wire/record-parts.ts'
import type { ProgressKey } from '../delivery/progress.ts'

/** Runs the work of a delivery. Of those that join a large record, one runs at a time. */
export type LargeRecordTurns = <T>(records: readonly PossiblePart[], work: () => Promise<T>) => Promise<T>

/** Topic partitions are applied concurrently, but memory suffices for only one large record at a time. */
export function largeRecordTurns(): LargeRecordTurns {
  let last: Promise<unknown> = Promise.resolve()
  return (records, work) => {
    if (!records.some(({ value }) => isLastPart(value))) return work()
    const turn = last.then(work)
    last = turn.catch(() => undefined)
    return turn
  }
}

/**
 * The records, with the parts of each large one joined in the place of its last part. Parts whose last one has not come
 * yet are stored, and joined ones are deleted, in the transaction that moves progress.
 */
export async function joinParts<R extends PossiblePart>(
  client: pg.PoolClient,
  key: ProgressKey,
  records: readonly R[],
): Promise<readonly R[]> {
  if (!records.some(({ value }) => isPart(value))) return records
  const plan = joinRecordParts(records, await openRecords(client, key))
  const joined: R[] = []
  for (const one of plan.records) {
    if ('whole' in one) joined.push(one.whole)
    else {
      const value = [...(await storedTexts(client, key, one)), ...one.texts].join('')
      // `bytes` are those of the last part only, so they are removed.
      joined.push({ ...one.last, value, bytes: undefined })
    }
  }
  if (plan.forget.length > 0) await forget(client, key, plan.forget)
  if (plan.keep.length > 0) await keep(client, key, plan.keep)
  return joined
}

async function openRecords(client: pg.PoolClient, { topic, topicPartition }: ProgressKey): Promise<OpenRecord[]> {
  const { rows } = await client.query<{ id: string; key: Buffer | null; count: number; stored: number }>(
    `select record_id as id, record_key as key, part_count as count, count(*)::integer as stored
     from tidemark.record_part
     where topic = $1
       and topic_partition = $2
     group by record_id, record_key, part_count
     order by min(record_offset)`,
    [topic, topicPartition],
  )
  return rows.map(({ key, ...row }) => ({ ...row, key: key?.toString() }))
}

/** The parts are read one by one. One answer with all of them would need twice their memory while it is read. */
async function storedTexts(
  client: pg.PoolClient,
  { topic, topicPartition }: ProgressKey,
  { id, stored }: { readonly id: string; readonly stored: number },
): Promise<string[]> {
  const texts: string[] = []
  for (let index = 0; index < stored; index++) {
    const { rows } = await client.query<{ part_text: string }>(
      `select part_text
       from tidemark.record_part
       where (topic, topic_partition, record_id, part_index) = ($1, $2, $3, $4)`,
      [topic, topicPartition, id, index],
    )
    texts.push(rows[0]!.part_text)
  }
  return texts
}

async function forget(client: pg.PoolClient, { topic, topicPartition }: ProgressKey, ids: string[]): Promise<void> {
  await client.query(
    'delete from tidemark.record_part where topic = $1 and topic_partition = $2 and record_id = any ($3)',
    [topic, topicPartition, ids],
  )
}

/**
 * Each part is stored by its own statement. An array of them would need several times their memory while it is written.
 */
async function keep(client: pg.PoolClient, { topic, topicPartition }: ProgressKey, parts: StoredPart[]): Promise<void> {
  for (const { id, index, count, key, offset, text } of parts) {
    await client.query(
      `insert into tidemark.record_part (topic, topic_partition, record_id, part_index, part_count, record_key,
         record_offset, part_text)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [topic, topicPartition, id, index, count, key === undefined ? null : Buffer.from(key), offset, text],
    )
  }
}
