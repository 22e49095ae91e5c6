/**
 * A place in Postgres's write-ahead log, in bytes. Debezium sends it as a JSON number, Postgres writes it
 * `16/B374D848`. It is exact below 2^53 bytes (8 PiB of log). Reading a greater one throws, so that it is never
 * rounded.
 */
export type Lsn = number

/** Parses `16/B374D848`. Throws a RangeError on any other text, and on an Lsn of 2^53 or more. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text)
  if (match === null) throw new RangeError(`'${text}' is not a log sequence number such as 16/B374D848`)
  return exactLsn(Number.parseInt(match[1]!, 16) * 2 ** 32 + Number.parseInt(match[2]!, 16))
}

/** Writes an Lsn as Postgres does. */
export function formatLsn(lsn: Lsn): string {
  return `${Math.floor(lsn / 2 ** 32).toString(16)}/${(lsn % 2 ** 32).toString(16)}`.toUpperCase()
}

/** The number as an Lsn. Throws a RangeError when it is negative, fractional or too great to be exact. */
export function exactLsn(value: number): Lsn {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`log sequence number ${value} is not exact`)
  return value
}
