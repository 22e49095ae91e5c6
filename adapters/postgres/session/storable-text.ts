/**
 * Postgres cannot store NUL in a text, so it is stored as the symbol for NUL. A lone surrogate becomes the replacement
 * character.
 */
export const storableText = (text: string): string => text.replaceAll('\0', '\u2400').toWellFormed()

/** JSON that jsonb accepts: NUL and lone surrogates, which JSON may contain and Postgres refuses, are replaced. */
export const storableJson = (json: string): string =>
  json.replace(/\\(?:u(0000|d[89a-f][0-9a-f]{2})|.)/gis, (sequence, refused) =>
    refused === undefined ? sequence : '\\ufffd',
  )
