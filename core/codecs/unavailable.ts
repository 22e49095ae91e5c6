/** Stands for a TOASTed value that an update did not touch: Debezium does not send it. */
export const unavailable: unique symbol = Symbol('unavailable')

/** Input text, or `unavailable`. */
export type Decoded = string | typeof unavailable

/**
 * The word that Debezium is configured to send in place of an unavailable value. Debezium's default is public: a row
 * could hold it as a value, and would be read as a row without that value.
 */
export const UNAVAILABLE_PLACEHOLDER = 'tidemark.unavailable.value.7c0f9e4b'

/** The placeholder where Debezium sends bytes. */
export const UNAVAILABLE_BASE64 = 'dGlkZW1hcmsudW5hdmFpbGFibGUudmFsdWUuN2MwZjllNGI='

/** The placeholder as a uuid of version 3, computed from its bytes. */
export const UNAVAILABLE_UUID = 'ca5f26d3-bba0-3de3-9b8c-1c727a8dd40a'

/** The placeholder in an array of integers: the codes of its characters. */
export const UNAVAILABLE_NUMBERS: readonly number[] = Array.from(UNAVAILABLE_PLACEHOLDER, (c) => c.charCodeAt(0))
