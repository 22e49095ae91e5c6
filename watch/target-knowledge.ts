import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { parseContract, type TableContract } from '#core/contract.ts'
import { parseAsWritten } from '#core/exact-json.ts'
import { jsonRow, jsonText } from './text-row.ts'
import type { WatchedChange } from './watched-change.ts'

/** What the target knows about changes: the contracts of tables, and the rows before changes. */
export type TargetKnowledge = {
  /** The newest contract of each captured table, by `schema.table`. */
  readonly contracts: Map<string, TableContract>
  /** The change with the row before it, if the target's history has it or gets it soon. */
  complete(change: WatchedChange): Promise<WatchedChange>
  close(): Promise<void>
}

/** This is used for brokers without a target. */
export const noTarget: TargetKnowledge = {
  contracts: new Map(),
  complete: async (change) => change,
  close: async () => undefined,
}

/** How long to wait for a change in the history. It is applied some milliseconds after it is in the topic. */
const patienceMs = 500
/** If a change of a table was not found, the table is not looked up again for this time. */
const pauseMs = 10_000

/** Opens the target for the role tidemark_read. */
export async function openTarget(url: string): Promise<TargetKnowledge> {
  const client = new pg.Client({ connectionString: url, application_name: 'tidemark watch' })
  client.on('error', () => undefined)
  await client.connect()
  const askedAgainAt = new Map<string, number>()
  return {
    contracts: await readContracts(client),
    async complete(change) {
      if (!lacksRowBefore(change)) return change
      if ((askedAgainAt.get(change.table) ?? 0) > performance.now()) return change
      const found = await findInHistory(client, change)
      if (found === undefined) askedAgainAt.set(change.table, performance.now() + pauseMs)
      return found ?? change
    },
    close: () => client.end(),
  }
}

/** Whether the row before an update is not known, or only the key of a deleted row is. */
function lacksRowBefore({ op, key, before, changed }: WatchedChange): boolean {
  if (key === null) return false
  if (op === 'update') return changed === null
  return op === 'delete' && Object.keys(before ?? {}).length === Object.keys(key).length
}

async function readContracts(client: pg.Client): Promise<Map<string, TableContract>> {
  const { rows } = await client.query<{ contract: unknown }>(
    `select distinct on (relation) contract
     from tidemark.contract
     order by relation, epoch desc, version desc`,
  )
  const present = rows.map(({ contract }) => parseContract(contract)).filter(({ dropped }) => !dropped)
  return new Map(present.map((contract) => [`${contract.schema}.${contract.table}`, contract]))
}

async function findInHistory(client: pg.Client, change: WatchedChange): Promise<WatchedChange | undefined> {
  for (const deadline = performance.now() + patienceMs; ; ) {
    const found = await client
      .query<{ before: string | null; after: string | null; changed: string | null }>(
        `select before::text, after::text, changed::text
         from tidemark.history($1, $2::jsonb, 100)
         where lsn = $3::pg_lsn
         limit 1`,
        [change.table, JSON.stringify(change.key), change.lsn],
      )
      // The history does not know the table yet, or the target is gone. The change is shown without the row before it.
      .catch(() => undefined)
    const [row] = found?.rows ?? []
    if (row?.before != null) {
      const after = row.after === null ? null : jsonRow(row.after)
      return {
        ...change,
        before: jsonRow(row.before),
        after,
        changed: row.changed === null ? null : pairs(row.changed),
      }
    }
    if (found === undefined || row !== undefined || performance.now() > deadline) return undefined
    await pause(25)
  }
}

const pairs = (json: string): NonNullable<WatchedChange['changed']> =>
  Object.fromEntries(
    Object.entries(parseAsWritten(json) as Record<string, [unknown, unknown]>).map(([name, [before, after]]) => [
      name,
      [jsonText(before), jsonText(after)] as const,
    ]),
  )
