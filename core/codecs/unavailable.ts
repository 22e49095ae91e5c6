/** Stands for a TOASTed value that an update left as it was: Debezium does not send it. */
export const unavailable: unique symbol = Symbol('unavailable')

/** Input text, or `unavailable`. */
export type Decoded = string | typeof unavailable

/**
 * What Debezium is told to send for it. Debezium's own word is known to everybody, and a row that holds it as a value
 * would be taken for one that lacks it.
 */
export const UNAVAILABLE_PLACEHOLDER = 'tidemark.unavailable.value.7c0f9e4b'

/** The placeholder where Debezium sends bytes. */
export const UNAVAILABLE_BASE64 = 'dGlkZW1hcmsudW5hdmFpbGFibGUudmFsdWUuN2MwZjllNGI='

/** The placeholder as a uuid: version 3, of its bytes. */
export const UNAVAILABLE_UUID = 'ca5f26d3-bba0-3de3-9b8c-1c727a8dd40a'

/** The placeholder in an array of whole numbers: its characters. */
export const UNAVAILABLE_NUMBERS: readonly number[] = Array.from(UNAVAILABLE_PLACEHOLDER, (c) => c.charCodeAt(0))
