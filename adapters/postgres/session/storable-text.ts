/** Postgres has no NUL in text: it is kept as the picture of it. Half a character becomes the replacement character. */
export const storableText = (text: string): string => text.replaceAll('\0', '\u2400').toWellFormed()

/** JSON that jsonb takes: NUL and half a character, which JSON may hold and Postgres refuses, are replaced. */
export const storableJson = (json: string): string =>
  json.replace(/\\(?:u(0000|d[89a-f][0-9a-f]{2})|.)/gis, (sequence, refused) =>
    refused === undefined ? sequence : '\\ufffd',
  )
