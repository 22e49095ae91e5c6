import type pg from 'pg'
import type { WindowDefinition } from '#core/windows/definition.ts'
import { type StoredDefinition, storedDefinition } from '#core/windows/stored-definition.ts'

/** A column that a definition uses, and its name in the source. */
export type UsedColumn = { readonly number: number; readonly name: string }

/** A version of a definition in the target. */
export type DefinitionVersion = {
  readonly id: string
  readonly name: string
  readonly state: 'awaiting table' | 'backfilling' | 'shown' | 'stopped'
  readonly reason: string | null
  readonly definition: WindowDefinition
  /** Whether users see this version. */
  readonly wasShown: boolean
  /** Whether its rows are being read: it is backfilled, or reconciled with rows that changed without a record. */
  readonly isUnderWay: boolean
  /** What its tables were made with; null when it has none. */
  readonly plan: {
    readonly event: { readonly type: string }
    readonly columns: readonly UsedColumn[]
    /** Empty for a keyless table. */
    readonly key: readonly UsedColumn[]
    readonly keyTypes: readonly string[]
    readonly resultTypes: readonly string[]
  } | null
}

/** A version with tables. */
export type BuiltDefinition = DefinitionVersion & { readonly plan: NonNullable<DefinitionVersion['plan']> }

type Row = Omit<DefinitionVersion, 'definition'> & { readonly definition: StoredDefinition }

const readVersions = `
select d.id::text, d.name, d.state, d.reason, d.definition, d.plan, d.was_shown as "wasShown",
  d.state <> 'stopped' and (
    d.phase is not null
    or exists (
      select from tidemark.window_mark m where m.relation = d.relation and m.mark > d.covers_mark
    )
    -- Its table has come, and its tables are about to be made.
    or d.state = 'awaiting table' and exists (
      select
      from tidemark.table_marker m
      join tidemark.generation g on g.relation = m.relation and g.shown
      where (m.schema_name, m.table_name) = (d.definition -> 'source' ->> 'schema', d.definition -> 'source' ->> 'table')
        and m.dropped_at is null
    )
  ) as "isUnderWay"
from tidemark.window_definition d
where $1::text is null or d.name = $1
order by d.name, d.id`

/** The versions of all definitions, or of one, in the order in which they were made. */
export async function readDefinitionVersions(
  target: Pick<pg.Client, 'query'>,
  name?: string,
): Promise<DefinitionVersion[]> {
  const { rows } = await target.query<Row>(readVersions, [name ?? null])
  return rows.map((row) => ({ ...row, definition: storedDefinition(row.definition) }))
}

/** The version that users see. */
export const isShown = (version: DefinitionVersion): version is BuiltDefinition =>
  version.wasShown && version.plan !== null

/** The columns of the image that have the key of a row: its key, or the hash of a keyless row and a number. */
export const imageKey = ({ plan }: BuiltDefinition): readonly string[] =>
  plan.key.length === 0 ? ['image', 'n'] : plan.key.map((_, index) => `k${index + 1}`)

/** The key and the used columns of a row, by their names in the source, with the columns of the image that have them. */
export function imageColumns({ plan }: BuiltDefinition): readonly { readonly name: string; readonly stored: string }[] {
  const key = plan.key.map(({ name, number }, index) => ({ name, number, stored: `k${index + 1}` }))
  const used = plan.columns
    .filter(({ number }) => !key.some((column) => column.number === number))
    .map(({ name, number }) => ({ name, stored: `c${number}` }))
  return [...key.map(({ name, stored }) => ({ name, stored })), ...used]
}
