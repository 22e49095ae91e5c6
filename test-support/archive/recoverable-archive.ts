import { setTimeout as pause } from 'node:timers/promises'
import type { MSKRecord } from 'aws-lambda'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { archiveTableName } from '#adapters/iceberg/archive/archive-catalog.ts'
import type { DataFileMetrics } from '#adapters/iceberg/archive/data-file-metrics.ts'
import type { LoadedTable, RestCatalog, TableName } from '#adapters/iceberg/catalog/rest-catalog.ts'
import { asRecoverer } from '#adapters/postgres/archive/archive-ledger.ts'
import { checkArchive, type RecoveryReport, recoverArchive } from '#lambdas/commit-archive/recovery/recover-archive.ts'
import type { RecoveryStep } from '#lambdas/commit-archive/recovery/recovery-plan.ts'
import type { RecoveryTools } from '#lambdas/commit-archive/recovery/recovery-tools.ts'
import { type ArchiveServers, startArchiveServers } from '../archive-servers.ts'
import { createDatabase, type TestDatabase } from '../databases/database.ts'
import { lastingPool } from '../databases/lasting-pool.ts'
import { type ArchiveRun, makeArchiveRun } from './archive-run.ts'
import { readArchivedRows } from './archived-rows.ts'

export type Ledger = RecoveryTools['ledger']

/** A record of the topic `changes`. */
export const record = (offset: number, topicPartition = 0): MSKRecord => ({
  ...{ topic: 'changes', partition: topicPartition, offset, timestampType: 'CREATE_TIME', headers: [] },
  timestamp: 1_795_201_857_603 + offset,
  key: Buffer.from(`{"id":${offset}}`).toString('base64'),
  value: Buffer.from(`{"n":${offset}}`).toString('base64'),
})

export const records = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => record(from + i))

/** The archive of a test, which has a target and a namespace of its own, and what recovers it. */
export type RecoverableArchive = {
  run: ArchiveRun
  database: TestDatabase
  /** Wires the functions again, as new processes do: they know nothing of the table. */
  restart(): void
  archiveAndCommit(from: number, to: number): Promise<void>
  table(): TableName
  loaded(): Promise<LoadedTable>
  archivedOffsets(): Promise<number[]>
  withTools<T>(
    work: (tools: RecoveryTools) => Promise<T>,
    catalog?: Partial<RestCatalog>,
    changed?: (ledger: Ledger) => Partial<Ledger>,
  ): Promise<T>
  /** Agrees to every step. Returns the report with the kinds of the steps. */
  recover(
    catalog?: Partial<RestCatalog>,
    changed?: (ledger: Ledger) => Partial<Ledger>,
  ): Promise<RecoveryReport & { kinds: string[] }>
  check(): Promise<NonNullable<Awaited<ReturnType<typeof checkArchive>>>>
  dropTable(table?: TableName): Promise<void>
  /** The URLs of the objects whose URL begins so. */
  list(prefix: string): Promise<string[]>
  problems(): Promise<{ kind: string }[]>
}

/** Makes one archive for each test of a file. Its servers are started for the file. */
export function useRecoverableArchive(): RecoverableArchive {
  let servers: ArchiveServers
  /** A pool with the role of commit-archive. */
  let asArchive: pg.Pool
  let number = 0
  beforeAll(async () => {
    servers = await startArchiveServers()
  })
  afterAll(async () => {
    await servers?.stop()
  })
  beforeEach(async () => {
    number++
    archive.database = await createDatabase('target')
    asArchive = lastingPool({ connectionString: archive.database.url, options: '-c role=tidemark_archive', max: 1 })
    archive.restart()
  })
  afterEach(async () => {
    await asArchive.end()
    await archive.database.drop()
  })
  const archive = {
    restart() {
      const place = { catalog: 's3tables', warehouse: 'arn', namespace: `recovery_${number}`, location: '' } as const
      archive.run = makeArchiveRun(servers, archive.database.pool, place)
    },
    async archiveAndCommit(from, to) {
      await archive.run.archive(records(from, to))
      await archive.run.commit()
    },
    table: () => archiveTableName(archive.run.place),
    loaded: async () => (await archive.run.catalog.loadTable(archive.table()))!,
    async archivedOffsets() {
      const rows = await readArchivedRows(archive.run.store, (await archive.loaded()).metadata)
      return rows.map((row) => Number(row['kafka_offset'])).sort((a, b) => a - b)
    },
    withTools: <T>(
      work: (tools: RecoveryTools) => Promise<T>,
      catalog: Partial<RestCatalog> = {},
      changed: (ledger: Ledger) => Partial<Ledger> = () => ({}),
    ) =>
      asRecoverer<DataFileMetrics, T>(
        asArchive,
        (ledger) =>
          work({
            ...{
              place: archive.run.place,
              store: archive.run.store,
              now: Date.now,
              pause,
              onProgress: () => undefined,
            },
            catalog: { ...archive.run.catalog, ...catalog },
            ledger: { ...ledger, ...changed(ledger) },
          }),
        10_000,
      ) as Promise<T>,
    recover(catalog, changed) {
      const kinds: string[] = []
      const agree = async ({ kind }: RecoveryStep) => {
        kinds.push(kind)
        return true
      }
      return archive.withTools(async (tools) => ({ ...(await recoverArchive(tools, agree)), kinds }), catalog, changed)
    },
    check: async () => (await archive.withTools(checkArchive))!,
    async dropTable({ namespace, name } = archive.table()) {
      const url = `${servers.catalogEndpoint}/v1/namespaces/${namespace}/tables/${name}`
      const answer = await fetch(url, { method: 'DELETE', headers: { authorization: `Bearer ${servers.key.token}` } })
      expect(answer.status).toBe(204)
    },
    async list(prefix) {
      const found: string[] = []
      for await (const page of archive.run.store.list(prefix)) found.push(...page.map(({ url }) => url))
      return found
    },
    problems: async () => (await archive.database.pool.query('select kind from tidemark.archive_problem')).rows,
  } as RecoverableArchive
  return archive
}
