import { createHash } from 'node:crypto'
import type { MSKEvent } from 'aws-lambda'
import type pg from 'pg'
import { openArchiveTable } from '#adapters/iceberg/archive/archive-catalog.ts'
import type { RestCatalog } from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { ObjectStore } from '#adapters/object-store/object-store.ts'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { asCommitter } from '#adapters/postgres/archive/archive-ledger.ts'
import { makeArchiveProgress } from '#adapters/postgres/archive/archive-progress.ts'
import { makeTableLedger } from '#adapters/postgres/archive/archive-table-ledger.ts'
import { makeUserState } from '#adapters/postgres/user-state/user-state.ts'
import type { TableContract } from '#core/contract.ts'
import { epochName } from '#core/fixed-names.ts'
import { makeCommitArchive } from '#lambdas/commit-archive/commit-archive.ts'
import { CHANGES, USER_EVENTS } from '#rebuild/replay.ts'
import { makeEventDelivery } from '#test-support/archive/archive-run.ts'

/** A change of a row in a transaction of the made source. */
export type MadeChange = {
  readonly table: string
  readonly op: 'c' | 'u' | 'd' | 'r' | 't'
  readonly key?: object
  readonly before?: object
  readonly after?: object
  readonly headers?: Readonly<Record<string, object>>
  readonly snapshot?: 'true' | 'incremental'
}

type MadeRecord = {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | undefined
  readonly value: string | undefined
  readonly headers: Readonly<Record<string, object>> | undefined
}

const TOPIC_PARTITIONS = 3
const STEP_MS = 1_000
export const FIRST_MS = Date.UTC(2026, 10, 27, 12)

/** The archive table of a made source. */
export type MadeArchive = {
  readonly catalog: RestCatalog
  readonly store: Pick<ObjectStore, 'get' | 'put' | 'has'>
  readonly namespace: string
}

/**
 * A source for tests. Its records are made by hand, and the functions' own code applies them to a target and archives
 * them.
 */
export class ArchivedSource {
  /** When the last transaction was committed, in ms since 1970. */
  nowMs = FIRST_MS
  #lsn = 100
  #beacon = 0
  #beaconLsn: string | null = null
  #epoch = 1
  readonly #target: pg.Pool
  readonly #archive: MadeArchive
  readonly #logs = new Map<string, MadeRecord[]>()
  readonly #applied = new Map<string, number>()
  readonly #archived = new Map<string, number>()
  readonly #latestState
  readonly #userState

  constructor(target: pg.Pool, archive: MadeArchive) {
    this.#target = target
    this.#archive = archive
    this.#latestState = makeLatestState(target)
    this.#userState = makeUserState(target)
    const notification = { aggregate_type: 'Initial Snapshot', type: 'SKIPPED' }
    const start = JSON.stringify({ ...notification, additional_data: { connector_name: epochName(1) } })
    this.#append(CHANGES.topic, 0, undefined, start)
  }

  /** Commits a transaction a second after the last one, or at the time `at`. Returns its time. */
  commit(changes: readonly MadeChange[], at = this.nowMs + STEP_MS): number {
    this.nowMs = at
    const txId = this.#lsn
    for (const change of changes) this.#change(change, txId)
    return at
  }

  /** Writes a contract to every topic partition. */
  contract(contract: TableContract): void {
    this.nowMs += STEP_MS
    this.#lsn++
    for (let slot = 0; slot < TOPIC_PARTITIONS; slot++) {
      const text = JSON.stringify({ ...contract, topicPartitions: TOPIC_PARTITIONS })
      const after = { relation: contract.relation, version: contract.version, slot, contract: text }
      this.#control('table_contract', slot, after)
    }
  }

  /** Emits a beacon and returns its number. */
  beacon(): number {
    this.nowMs += STEP_MS
    this.#lsn++
    this.#beacon++
    for (let slot = 0; slot < TOPIC_PARTITIONS; slot++) {
      const place = { lsn: `0/${this.#lsn.toString(16)}`, previousLsn: this.#beaconLsn }
      const body = { systemIdentifier: '7001', ...place, topicPartitions: TOPIC_PARTITIONS }
      const row = { slot, number: this.#beacon, body: JSON.stringify(body) }
      this.#control('beacon', slot, { ...row, emitted_at: new Date(this.nowMs).toISOString() })
    }
    this.#beaconLsn = `0/${this.#lsn.toString(16)}`
    return this.#beacon
  }

  /** Emits a beacon that capture never sends, as if it were lost with everything else of its time. */
  loseBeacon(): void {
    this.#lsn++
    this.#beacon++
    this.#beaconLsn = `0/${this.#lsn.toString(16)}`
  }

  /** Begins the next epoch for all later changes. With `reads` its initial snapshot reads the beacons. */
  beginEpoch(reads = false): void {
    this.#epoch++
    if (!reads) return
    this.#lsn++
    for (let slot = 0; slot < TOPIC_PARTITIONS; slot++) {
      const row = { slot, number: this.#beacon, emitted_at: new Date(this.nowMs).toISOString() }
      const body = { systemIdentifier: '7001', lsn: this.#beaconLsn ?? '0/1', topicPartitions: TOPIC_PARTITIONS }
      this.#control('beacon', slot, { ...row, body: JSON.stringify(body) }, 'r')
    }
  }

  /** Publishes a plain delta. */
  delta(delta: { id: number; op: string; event_order: number; name?: string }): void {
    this.#append(USER_EVENTS.topic, delta.id % 2, JSON.stringify({ id: delta.id }), JSON.stringify(delta))
  }

  /** Removes a record of captured changes after it was applied and before it is archived. */
  lose(topicPartition: number, offset: number): void {
    const log = this.#logs.get(`${CHANGES.topic}-${topicPartition}`)!
    log.splice(
      log.findIndex((record) => record.offset === offset),
      1,
    )
  }

  /** Applies the records that were not applied yet to the target, of all topic partitions or of one. */
  async apply(only?: number): Promise<void> {
    for (const [name, records] of this.#fresh(this.#applied)) {
      const { topic, topicPartition } = placeOf(name)
      if (only !== undefined && topicPartition !== only) continue
      const delivered = records.map(({ headers, ...record }) => ({
        ...record,
        headers: headers && {
          newKey: headers['__debezium.newkey'] && JSON.stringify(headers['__debezium.newkey']),
          oldKey: headers['__debezium.oldkey'] && JSON.stringify(headers['__debezium.oldkey']),
        },
        digest: () => createHash('sha256').update(`${record.offset} ${record.value}`).digest('hex'),
      }))
      const isChanges = topic === CHANGES.topic
      const key = { topic, topicPartition, consumer: (isChanges ? CHANGES : USER_EVENTS).consumer }
      const outcome = await (isChanges ? this.#latestState : this.#userState).apply(key, delivered as never)
      if (outcome.kind !== 'applied') throw new Error(`${name}: ${JSON.stringify(outcome)}`)
      this.#applied.set(name, records.at(-1)!.offset + 1)
    }
  }

  /** Archives the records that were not archived yet, in one event, and commits them. */
  async archive(): Promise<void> {
    const { catalog, store, namespace } = this.#archive
    const place = { catalog: 's3tables', warehouse: '', namespace, location: '' } as const
    const fresh = this.#fresh(this.#archived)
    const ledger = makeTableLedger(this.#target)
    const archiveChanges = makeEventDelivery({
      topics: new Map([
        // A lost record has to appear as a hole in the archive.
        [CHANGES.topic, 'sparse'],
        [USER_EVENTS.topic, 'sparse'],
      ]),
      progress: makeArchiveProgress(this.#target),
      store,
      location: async () => (await openArchiveTable(catalog, place, ledger)).metadata.location,
      requestCommit: async () => undefined,
      commit: { afterMs: 60_000, afterBytes: 1 << 30 },
      now: Date.now,
    })
    await archiveChanges({
      records: Object.fromEntries(fresh.map(([name, records]) => [name, records.map((r) => mskRecord(name, r))])),
    } as unknown as MSKEvent)
    const commit = makeCommitArchive({
      ...{ catalog, store, table: { namespace, name: 'changes' }, now: Date.now, pause: async () => undefined },
      asCommitter: (work) => asCommitter(this.#target, work),
      openTable: (ledger) => openArchiveTable(catalog, place, ledger, { isOnlyCommitter: true }),
      commit: { afterMs: 0, afterBytes: 0 },
      removeSpent: async () => undefined,
      print: () => undefined,
    })
    await commit({}, Date.now() + 60_000)
    for (const [name, records] of fresh) this.#archived.set(name, records.at(-1)!.offset + 1)
  }

  #fresh(done: ReadonlyMap<string, number>): [string, MadeRecord[]][] {
    const all = [...this.#logs].map(([name, log]): [string, MadeRecord[]] => [
      name,
      log.filter(({ offset }) => offset >= (done.get(name) ?? 0)),
    ])
    return all.filter(([, records]) => records.length > 0)
  }

  #change({ table, op, key, before, after, headers, snapshot = undefined }: MadeChange, txId: number): void {
    // The two halves of a key change have one lsn.
    if (headers?.['__debezium.oldkey'] === undefined) this.#lsn++
    const source = this.#source('public', table, txId, snapshot)
    const value = JSON.stringify({ before: before ?? null, after: after ?? null, source, transaction: null, op })
    const keyText = key === undefined ? undefined : JSON.stringify(key)
    const slot = keyText === undefined ? 0 : createHash('md5').update(keyText).digest()[0]! % TOPIC_PARTITIONS
    this.#append(CHANGES.topic, slot, keyText, value, headers)
  }

  #control(table: string, slot: number, after: object, op: 'u' | 'r' = 'u'): void {
    const source = this.#source('tidemark', table, this.#lsn, op === 'r' ? 'true' : undefined)
    const value = JSON.stringify({ before: null, after, source, transaction: null, op })
    this.#append(CHANGES.topic, slot, JSON.stringify({ slot }), value)
  }

  #source(schema: string, table: string, txId: number, snapshot: MadeChange['snapshot'] = undefined) {
    const place = snapshot === 'incremental' ? { lsn: null, txId: null } : { lsn: this.#lsn, txId }
    return {
      name: epochName(this.#epoch),
      ts_us: this.nowMs * 1000,
      snapshot: snapshot ?? 'false',
      schema,
      table,
      ...place,
    }
  }

  #append(
    topic: string,
    slot: number,
    key: string | undefined,
    value: string | undefined,
    headers?: MadeRecord['headers'],
  ): void {
    const name = `${topic}-${slot}`
    const log = this.#logs.get(name) ?? []
    this.#logs.set(name, log)
    // Capture sends a change a little later than it was committed.
    log.push({ offset: log.length, timestampMs: this.nowMs + 20, key, value, headers })
  }
}

function placeOf(name: string): { topic: string; topicPartition: number } {
  const [, topic, topicPartition] = /^(.*)-(\d+)$/.exec(name)!
  return { topic: topic!, topicPartition: Number(topicPartition) }
}

const base64 = (text: string | undefined) => text && Buffer.from(text).toString('base64')

function mskRecord(name: string, { offset, timestampMs, key, value, headers = {} }: MadeRecord): object {
  const { topic, topicPartition } = placeOf(name)
  return {
    ...{ topic, partition: topicPartition, offset, timestamp: timestampMs, timestampType: 'CREATE_TIME' },
    ...{ key: base64(key), value: base64(value) },
    headers: Object.entries(headers).map(([header, content]) => ({
      [header]: [...Buffer.from(JSON.stringify(content))],
    })),
  }
}
