import type pg from 'pg'
import { connectTo, type MeasuredStack, within } from '../measured-stack.ts'
import { createTables, type WorkloadTable } from '../workloads/workload.ts'

const NAME = 'bench_native'

/** Postgres's own logical replication into a database of the target's server. */
export type NativeReplication = {
  readonly url: URL
  /** From this call on the source keeps the log for the subscription; nothing is read yet. */
  subscribe(tables: readonly WorkloadTable[]): Promise<void>
  /** Resolves at once. The server's worker starts a moment later. */
  enable(): Promise<void>
  /** Ends the replication and removes its tables. */
  unsubscribe(tables: readonly WorkloadTable[]): Promise<void>
  stop(): Promise<void>
}

/**
 * The settings with which it is fastest: binary values, and large transactions that are applied while they are read.
 */
export const nativeSettings = 'binary = true, streaming = parallel'

export async function createNativeReplication({ source, target, pipeline }: MeasuredStack): Promise<NativeReplication> {
  await target.query(`create database ${NAME}`)
  const url = new URL(pipeline.engine.endpoints.target)
  url.pathname = `/${NAME}`
  const client = await connectTo(url.href)
  return {
    url,
    async subscribe(tables) {
      await client.query(createTables(tables))
      await source.query(
        `create publication ${NAME} for table ${tables.map(({ name }) => `public.${name}`).join(', ')}`,
      )
      const from = client.escapeLiteral(pipeline.engine.endpoints.source)
      await client.query(
        `create subscription ${NAME} connection ${from} publication ${NAME}
         with (enabled = false, copy_data = false, ${nativeSettings})`,
      )
      await client.query(`alter subscription ${NAME} enable`).then(() => untilTablesAreReady(client))
      await client.query(`alter subscription ${NAME} disable`)
      await untilSlotIsFree(source)
    },
    async enable() {
      await client.query(`alter subscription ${NAME} enable`)
    },
    async unsubscribe(tables) {
      await client.query(`alter subscription ${NAME} disable`)
      await untilSlotIsFree(source)
      await client.query(`drop subscription ${NAME}`)
      await source.query(`drop publication ${NAME}`)
      await client.query(`drop table ${tables.map(({ name }) => `public.${name}`).join(', ')}`)
    },
    stop: () => client.end(),
  }
}

/** Waits until the subscription's tables are ready, because preparing them is not part of a drain. */
async function untilTablesAreReady(client: pg.Client): Promise<void> {
  await within()('the subscription has its tables', async () => {
    const { rowCount } = await client.query(`select from pg_subscription_rel where srsubstate <> 'r'`)
    return rowCount === 0 ? { done: undefined } : { state: `${rowCount} tables are not ready` }
  })
}

async function untilSlotIsFree(source: pg.Client): Promise<void> {
  await within()(`slot ${NAME} is free`, async () => {
    const { rowCount } = await source.query('select from pg_replication_slots where slot_name = $1 and active', [NAME])
    return rowCount === 0 ? { done: undefined } : { state: 'active' }
  })
}
