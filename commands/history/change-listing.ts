import type { ClientBase } from 'pg'
import { alignColumns } from '#terminal/aligned-columns.ts'
import { cutText } from '#terminal/display-width.ts'
import { formatQuantity } from '#terminal/quantities.ts'

/** A change as it is listed: what happened, in words. */
export type ListedChange = {
  /** Commit time in the source, UTC. */
  readonly at: string
  readonly op: string
  /** The key's values; null for rows without a key and truncates. */
  readonly key: string | null
  /** `status: new → paid` of an update, `id: 7, status: new` of a row that came or went. */
  readonly what: string | null
  readonly who: string | null
  readonly application: string | null
  readonly why: string | null
  readonly transaction: string | null
}

/** Numbers keep all their digits: values become text in the server. */
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

/** The changes of a row, or of a table without a key, newest first. The database's errors name what is wrong with them. */
export async function listChanges(
  client: ClientBase,
  table: string,
  key: string | null,
  limit: number,
): Promise<ListedChange[]> {
  return (await client.query<ListedChange>(listing, [table, key, limit])).rows
}

/** The same as lines of JSON, each a row of `tidemark.change_log`. */
export async function listAsJson(
  client: ClientBase,
  table: string,
  key: string | null,
  limit: number,
): Promise<string[]> {
  const text = 'select to_json(h)::text as line from tidemark.history($1, $2, $3) h'
  return (await client.query<{ line: string }>(text, [table, key, limit])).rows.map(({ line }) => line)
}

/** One line per change in aligned columns, cut to the width; says so when there are none. */
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
