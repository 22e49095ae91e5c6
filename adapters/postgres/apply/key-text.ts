/**
 * Equal keys have one text: history finds the changes of a row by it. The rule stands in three places, since each is asked
 * something else: here, for the statement that keeps changes; in tidemark.key_texts, for readers who name a key; and in
 * `canonical` of core/codecs, for the rows of a batch, before Postgres has seen them. `key-text.int.test.ts` compares the
 * three on every type that a key may have.
 */

/** Whether equal values of the type are always written alike. */
export const isOneText = (type: string): boolean =>
  /^(smallint|integer|bigint|text|uuid|date|boolean|character varying(\(\d+\))?|timestamp(\(\d\))? with(out)? time zone)$/.test(
    type,
  )

/** The text of a key's value, as SQL, from its text as it was sent; `typed` is that as a value of the type. */
export function keyText(type: string, sent: string, typed: string): string {
  // These are sent as Postgres writes them.
  if (/^(smallint|integer|bigint|text|uuid)$/.test(type)) return sent
  if (/^numeric(?!.*\[)/.test(type)) return `trim_scale(${typed})::text`
  if (/^(real|double precision)$/.test(type)) return `(${typed} + 0)::text`
  if (/^(interval|jsonb|numrange|nummultirange)(?!.*\[)/.test(type)) return `tidemark.key_text(${typed})`
  return /(^|\.)citext$/.test(type) ? `lower(${typed}::text)` : `${typed}::text`
}
