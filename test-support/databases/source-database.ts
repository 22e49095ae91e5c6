import { randomInt } from 'node:crypto'
import { parseContract, type TableContract } from '#core/contract.ts'
import { createDatabase, type TestDatabase } from './database.ts'

/** The argument of `tidemark.configure`. */
export type Captured = {
  schemas: string[]
  includeTables: string[]
  excludeTables: string[]
  excludeColumns: string[]
}

/** Captures the whole schema public. */
export const EVERYTHING: Captured = { schemas: ['public'], includeTables: [], excludeTables: [], excludeColumns: [] }

/** A migrated and configured source with two topic partitions. */
export type SourceDatabase = TestDatabase & {
  epoch: number
  configure(captured: Partial<Captured>): Promise<void>
  /** Creates the replication slot of the epoch, as the connector does when it starts. */
  listen(): Promise<void>
  /** The contracts of slot 0 in the order of their versions, read by core. */
  contracts(table: string): Promise<TableContract[]>
  /** The state of a table's capture with its reason; undefined when the table is not to be captured. */
  state(table: string): Promise<{ state: string; reason: string | null; fix: string | null } | undefined>
  published(): Promise<string[]>
}

type SourceOptions = {
  knownGeneration?: number
  /** The encoding of the database; UTF8 if absent. */
  encoding?: string
}

/** Creates a source. Each database has an epoch of its own, because replication slots belong to the whole server. */
export async function createSource(
  captured: Partial<Captured> = {},
  { knownGeneration = 0, encoding }: SourceOptions = {},
): Promise<SourceDatabase> {
  const database = await createDatabase('source', encoding)
  const { pool } = database
  const epoch = randomInt(1, 2 ** 31)
  const configure = async (changes: Partial<Captured>) => {
    const setting = JSON.stringify({ ...EVERYTHING, ...changes })
    await pool.query('select tidemark.configure(2, $1, $2, $3)', [setting, epoch, knownGeneration])
  }
  await configure(captured)
  return {
    ...database,
    epoch,
    configure,
    listen: async () => {
      await pool.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [`tidemark_e${epoch}`])
    },
    contracts: async (table) => {
      const { rows } = await pool.query(
        `select contract from tidemark.table_contract
         where slot = 0 and relation in (
           select relation from tidemark.table_contract where contract ->> 'schema' || '.' || (contract ->> 'table') = $1
         )
         order by version`,
        [table],
      )
      return rows.map((row) => parseContract(row.contract))
    },
    state: async (table) => {
      const { rows } = await pool.query(
        `select state, reason, fix from tidemark.captured_table where schema_name || '.' || table_name = $1`,
        [table],
      )
      return rows[0]
    },
    published: async () => {
      const { rows } = await pool.query(
        `select schemaname || '.' || tablename as name from pg_publication_tables
         where pubname = 'tidemark' and schemaname <> 'tidemark' order by 1`,
      )
      return rows.map((row) => row.name)
    },
  }
}
