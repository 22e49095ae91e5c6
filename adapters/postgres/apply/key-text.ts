/**
 * Equal keys have one text, by which history finds the changes of a row. The rule is implemented in three places: here,
 * for the statement that stores changes; in tidemark.key_texts, for readers who name a key; and in `canonical` of
 * core/codecs, for the rows of a batch, before they reach Postgres. `key-text.int.test.ts` compares the three for every
 * type that a key can have.
 */

/** Whether equal values of the type always have the same text. */
export const isOneText = (type: string): boolean =>
  /^(smallint|integer|bigint|text|uuid|date|boolean|character varying(\(\d+\))?|timestamp(\(\d\))? with(out)? time zone)$/.test(
    type,
  )

/**
 * The text of a key's value as an SQL expression. `sent` is the text that was sent, `typed` is the same value with its
 * type.
 */
export function keyText(type: string, sent: string, typed: string): string {
  // Values of these types are sent with the text that Postgres writes.
  if (/^(smallint|integer|bigint|text|uuid)$/.test(type)) return sent
  if (/^numeric(?!.*\[)/.test(type)) return `trim_scale(${typed})::text`
  if (/^(real|double precision)$/.test(type)) return `(${typed} + 0)::text`
  if (/^(interval|jsonb|numrange|nummultirange)(?!.*\[)/.test(type)) return `tidemark.key_text(${typed})`
  return /(^|\.)citext$/.test(type) ? `lower(${typed}::text)` : `${typed}::text`
}
