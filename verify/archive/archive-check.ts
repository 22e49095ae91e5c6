import { hash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { readScannedFile, scanArchive } from '#adapters/iceberg/archive/archive-scan.ts'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import type { Engine } from '#localstack/engine.ts'
import { formatCount } from '#terminal/quantities.ts'
import { readTopicEnds, readTopics, type TopicEnds } from '#watch/topic-records.ts'
import { loadArchive, localArchive } from './archive-access.ts'

/** The result of comparing the archive table with the topics. */
export type ArchiveCheck = {
  /** The number of records in the topics. */
  archivedRecords: number
  /** The number of records without a row, rows without a record, rows that come twice, and values that differ. */
  archiveMismatches: number
}

const TOPICS = ['changes', 'user-events']

/**
 * Waits until every record that is in the topics at the beginning is committed to the archive table. Then reads both
 * completely and compares each record. Throws if `signal` aborts, or if the archive makes no progress for two minutes.
 */
export async function checkArchive(
  { endpoints, outputs }: Pick<Engine, 'endpoints' | 'outputs'>,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (what: string) => void },
): Promise<ArchiveCheck> {
  const brokers = { bootstrapServers: endpoints.kafka, access: endpoints.kafkaAccess ?? {} }
  const ends = await readTopicEnds(brokers, TOPICS)
  await archived(endpoints.reader, ends, signal, onProgress)
  onProgress('comparing the archive with the topics')
  const expected = new Map<string, string>()
  for await (const { value, ...place } of readTopics(brokers, ends)) {
    signal.throwIfAborted()
    expected.set(nameOf(place), digestOf(value))
  }
  const archivedRecords = expected.size
  const archive = localArchive(endpoints, outputs['ArchiveNamespace']!, outputs['ArchiveWarehouse'])
  let wrong = 0
  for (const file of (await scanArchive(archive.store, await loadArchive(archive))).files) {
    for await (const rows of readScannedFile(archive.store, file)) {
      for (const { value, encoding, ...place } of rows) {
        // Beacons are still sent. Records that came after the ends were read are not compared.
        if (place.offset >= ends.get(place.topic)![place.topicPartition]!) continue
        if (expected.get(nameOf(place)) !== digestOf(bytesOf(value, encoding))) wrong++
        expected.delete(nameOf(place))
      }
    }
  }
  return { archivedRecords, archiveMismatches: wrong + expected.size }
}

const nameOf = ({ topic, topicPartition, offset }: { topic: string; topicPartition: number; offset: number }): string =>
  `${topic}-${topicPartition}@${offset}`

const digestOf = (value: Buffer | null): string => (value === null ? '' : hash('md5', value, 'base64'))

/** Key and value are stored in base64 if one of them is not UTF-8. */
const bytesOf = (value: string | null, encoding: string | null): Buffer | null =>
  value === null ? null : Buffer.from(value, encoding === 'base64' ? 'base64' : 'utf8')

const PATIENCE_MS = 120_000

async function archived(
  reader: string,
  ends: TopicEnds,
  signal: AbortSignal,
  onProgress: (what: string) => void,
): Promise<void> {
  const client = clientOfUrl(reader, 'tidemark-start')
  await client.connect()
  try {
    let least = Infinity
    for (let deadline = Date.now() + PATIENCE_MS; ; await pause(200, undefined, { signal })) {
      const missing = await countMissing(client, ends)
      if (missing === 0) return
      if (missing < least) deadline = Date.now() + PATIENCE_MS
      least = Math.min(least, missing)
      onProgress(`waiting for the archive to commit ${formatCount(missing)} records`)
      if (Date.now() > deadline)
        throw new Error(`the archive has not committed ${formatCount(missing)} records in time`)
    }
  } finally {
    await client.end()
  }
}

async function countMissing(client: pg.Client, ends: TopicEnds): Promise<number> {
  const { rows } = await client.query<{ topic: string; partition: number; to: number }>(
    'select topic, topic_partition as partition, coalesce(committed_to, 0)::float8 as to from tidemark.archive_status',
  )
  const committed = new Map(rows.map(({ topic, partition, to }) => [`${topic}-${partition}`, to]))
  return [...ends].reduce(
    (sum, [topic, offsets]) =>
      sum + offsets.reduce((part, end, i) => part + Math.max(0, end - (committed.get(`${topic}-${i}`) ?? 0)), 0),
    0,
  )
}
