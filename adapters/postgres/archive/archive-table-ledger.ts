import type pg from 'pg'

type Identity = { readonly name: string; readonly uuid: string; readonly location: string | null }
type Commit = { readonly number: number; readonly snapshotId: bigint; readonly made: boolean }
type Renewal = { readonly formerName: string; readonly isLedgerNew: boolean }
/** A problem that the archive cannot resolve by itself. */
export type Problem = {
  readonly kind: 'table' | 'waiting files' | 'data files' | 'renewal'
  readonly reason: string
  readonly command: string
}

/** The Iceberg table that the ledger belongs to, and the problems of it. */
export type ArchiveTableLedger = {
  /**
   * Returns the table, the commits from the newest to the last that was made, the unresolved problem and the renewal.
   */
  readKnownTable(): Promise<{
    table: Identity | undefined
    commits: readonly Commit[]
    problem: string | undefined
    renewal: Renewal | undefined
    database: string
  }>
  /** Notes the table, or its location. A ledger that belongs to another table stays unchanged. */
  bindTable(table: Identity): Promise<void>
  /** Stores a problem. The time at which it was first seen stays. */
  noteProblem(problem: Problem): Promise<void>
  clearProblem(kind: Problem['kind']): Promise<void>
}

type Row = {
  table: Identity | null
  commits: { number: number; snapshot_id: string; made: boolean }[]
  problem: string | null
  renewal: Renewal | null
  database: string
}

// One statement reads everything, so that table and commits are of one moment. Ids of table snapshots are text, because
// JSON numbers would round them.
const readKnown = `
select (
    select json_build_object('name', t.name, 'uuid', t.table_uuid, 'location', t.location)
    from tidemark.archive_table t
  ) as table,
  (
    select coalesce(
      json_agg(json_build_object('number', c.number, 'snapshot_id', c.snapshot_id::text, 'made', c.committed_at is not null)
        order by c.number desc),
      '[]'
    )
    from (select * from tidemark.archive_commit order by number desc limit 2) c
  ) as commits,
  (select p.reason from tidemark.archive_problem p where p.kind = 'table') as problem,
  (
    select json_build_object('formerName', r.former_name, 'isLedgerNew', r.is_ledger_new)
    from tidemark.archive_renewal r
  ) as renewal,
  concat(pg_postmaster_start_time(), ' ', (select d.oid from pg_database d where d.datname = current_database())) as database`

/** The ledger over a pool, or over the connection that holds the committer's lock. */
export function makeTableLedger(database: pg.Pool | pg.PoolClient): ArchiveTableLedger {
  return {
    async readKnownTable() {
      const { rows } = await database.query<Row>(readKnown)
      const { table, commits, problem, renewal, database: restarted } = rows[0]!
      return {
        table: table ?? undefined,
        commits: commits.map(({ number, snapshot_id, made }) => ({ number, snapshotId: BigInt(snapshot_id), made })),
        problem: problem ?? undefined,
        renewal: renewal ?? undefined,
        database: restarted,
      }
    },
    async bindTable({ name, uuid, location }) {
      await database.query(
        `insert into tidemark.archive_table as t (name, table_uuid, location)
         select $1, $2, $3
         where not exists (select from tidemark.archive_table other where (other.name, other.table_uuid) <> ($1, $2))
         on conflict (name) do update
         set location = excluded.location
         where t.table_uuid = excluded.table_uuid`,
        [name, uuid, location],
      )
    },
    async noteProblem({ kind, reason, command }) {
      await database.query(
        `insert into tidemark.archive_problem as p (kind, reason, command)
         values ($1, $2, $3)
         on conflict (kind) do update
         set reason = excluded.reason,
           command = excluded.command
         where (p.reason, p.command) is distinct from (excluded.reason, excluded.command)`,
        [kind, reason, command],
      )
    },
    async clearProblem(kind) {
      await database.query('delete from tidemark.archive_problem where kind = $1', [kind])
    },
  }
}
