/** A column of a key, its type in the source, and the text of its value. */
export type KeyValue = { readonly name: string; readonly type: string; readonly text: string }

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

/**
 * A query of the archive for the changes of a row that are older than a time (ISO 8601 in UTC). The key of a record is
 * JSON, and is compared as it came where the types of the key have one text in JSON; otherwise the query has all rows of
 * the table.
 */
export function rowInArchive(
  archive: string,
  table: string,
  key: readonly KeyValue[],
  before: string | undefined,
): string {
  const conditions = [
    `topic = 'changes'`,
    `table_name = ${quoted(table)}`,
    ...keyCondition(table, key),
    ...(before === undefined ? [] : [`source_ts < timestamp ${quoted(before.replace('T', ' ').replace('Z', ' UTC'))}`]),
  ]
  return `select source_ts, op, tx_id, before, after, headers
from ${archive}
where ${conditions.join('\n  and ')}
order by kafka_offset desc`
}

function keyCondition(table: string, key: readonly KeyValue[]): string[] {
  const members = key.map(memberOf)
  if (members.length === 0 || members.includes(undefined)) return []
  const record = `{"key":{${members.join(',')},"_table":${JSON.stringify(table)}}}`
  return [`key = ${quoted(record)}`]
}

/** A member of the record's key; undefined for a type that capture may write in another way than Postgres. */
function memberOf({ name, type, text }: KeyValue): string | undefined {
  if (/^(smallint|integer|bigint)$/.test(type)) return `${JSON.stringify(name)}:${text}`
  if (/^(text|uuid|character varying(\(\d+\))?)$/.test(type)) return `${JSON.stringify(name)}:${JSON.stringify(text)}`
  return undefined
}
