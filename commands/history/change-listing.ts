import type { ClientBase } from 'pg'
import { alignColumns } from '#terminal/aligned-columns.ts'
import { cutText } from '#terminal/display-width.ts'
import { formatQuantity } from '#terminal/quantities.ts'

/** A change in the form in which it is listed. */
export type ListedChange = {
  /** The commit time in the source, in UTC. */
  readonly at: string
  readonly op: string
  /** The values of the key; null for rows without a key and for truncates. */
  readonly key: string | null
  /** `status: new → paid` for an update, `id: 7, status: new` for a row that was inserted or deleted. */
  readonly what: string | null
  readonly who: string | null
  readonly application: string | null
  readonly why: string | null
  readonly transaction: string | null
}

/** Values become text in the server, so that numbers keep all their digits. */
const listing = `
select to_char(committed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as at, op,
  (select string_agg(coalesce(value, 'null'), ', ') from jsonb_each_text(key)) as key,
  coalesce(
    (
      select string_agg(format('%s: %s → %s', c.key, coalesce(value ->> 0, 'null'), coalesce(value ->> 1, 'null')), ', ')
      from jsonb_each(changed) c
    ),
    (
      select string_agg(format('%s: %s', c.key, coalesce(value, 'null')), ', ')
      from jsonb_each_text(case when op <> 'update' then coalesce(after, before) end) c
    )
  ) as what,
  who, application, why, transaction_id as transaction
from tidemark.history($1, $2, $3) with ordinality
order by ordinality`

/**
 * The changes of a row, or of a table without a key, newest first. Errors of the database name what is wrong with table
 * or key.
 */
export async function listChanges(
  client: ClientBase,
  table: string,
  key: string | null,
  limit: number,
): Promise<ListedChange[]> {
  return (await client.query<ListedChange>(listing, [table, key, limit])).rows
}

/** The changes as lines of JSON, each with the columns of `tidemark.change_log`. */
export async function listAsJson(
  client: ClientBase,
  table: string,
  key: string | null,
  limit: number,
): Promise<string[]> {
  const text = 'select to_json(h)::text as line from tidemark.history($1, $2, $3) h'
  return (await client.query<{ line: string }>(text, [table, key, limit])).rows.map(({ line }) => line)
}

/** One line for each change, in aligned columns, cut to the width. If there are none, a line that says so. */
export function describeChanges(changes: readonly ListedChange[], of: { withKey: boolean; width: number }): string[] {
  if (changes.length === 0) return ['No changes are kept.']
  const lines = changes.map((change) => [
    change.at,
    change.op,
    ...(of.withKey ? [cutText(oneLine(change.key), 40)] : []),
    whoSays(change),
    oneLine(change.what),
  ])
  return [
    ...alignColumns(lines).map((line) => cutText(line, of.width)),
    '',
    `${formatQuantity(changes.length, 'change')}.`,
  ]
}

function whoSays({ who, application, why, transaction }: ListedChange): string {
  const named = [who, application === null ? null : `(${application})`].filter((part) => part !== null).join(' ')
  const by = named === '' ? `transaction ${transaction ?? 'unknown'}` : named
  return oneLine(why === null ? by : `${by}: ${why}`)
}

const oneLine = (text: string | null): string => (text ?? '').replace(/\s+/g, ' ')
