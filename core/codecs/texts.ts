import { base64ToBytes, utf8Text } from './bytes.ts'
import { codec, codecWithKey, type Decode } from './codec.ts'
import { canonicalDecimal } from './numbers.ts'
import { UNAVAILABLE_BASE64, UNAVAILABLE_PLACEHOLDER, unavailable } from './unavailable.ts'
import { refuse, ValueError } from './value-error.ts'

const decodeString: Decode = (wire) => {
  if (wire === UNAVAILABLE_PLACEHOLDER) return unavailable
  // Half of a surrogate pair would be stored as another character.
  return typeof wire === 'string' && wire.isWellFormed() ? wire : refuse('string', wire)
}

/** Values of types that Debezium does not know arrive as the bytes of Postgres's text, in base64. */
const decodeEncoded: Decode = (wire) => {
  if (wire === UNAVAILABLE_BASE64) return unavailable
  return typeof wire === 'string' ? utf8Text(base64ToBytes(wire)) : refuse('text in base64', wire)
}

const decodeHstore: Decode = (wire) => {
  if (typeof wire !== 'string') return refuse('hstore', wire)
  const pairs = hstorePairs(wire)
  const keys = Object.keys(pairs).sort()
  if (keys.length === 1 && keys[0] === UNAVAILABLE_PLACEHOLDER) return unavailable
  return keys.map((key) => `${quoted(key)}=>${pairs[key] === null ? 'NULL' : quoted(pairs[key]!)}`).join(', ')
}

function hstorePairs(wire: string): Record<string, string | null> {
  try {
    const pairs: unknown = JSON.parse(wire)
    const values = typeof pairs === 'object' && pairs !== null && !Array.isArray(pairs) ? Object.values(pairs) : [pairs]
    if (values.every((value) => value === null || (typeof value === 'string' && value.isWellFormed()))) {
      return (pairs ?? refuse('hstore', wire)) as Record<string, string | null>
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return refuse('hstore', wire)
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`

/**
 * citext compares the results of lower(). These depend on the database's locale, except for ASCII letters and
 * characters that have no case.
 */
function canonicalCitext(text: string): string {
  const foreign = text.replace(/[\0-\x7f]+/g, '')
  if (foreign !== foreign.toLowerCase()) {
    throw new ValueError(`the key ${JSON.stringify(text)} has capitals whose lower case depends on the database`)
  }
  return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase())
}

/** jsonb keeps the digits of its numbers, but considers 1.0 and 1.00 equal. */
const canonicalJsonb = (text: string): string =>
  text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?/g, (token) => (token[0] === '"' ? token : canonicalDecimal(token)))

const canonicalNumbers = (text: string): string => text.replace(/-?\d+(?:\.\d+)?/g, canonicalDecimal)

export const text = codec(decodeString)
export const character = codecWithKey(decodeString, (value) => value.replace(/ +$/, ''))
export const citext = codecWithKey(decodeString, canonicalCitext)
export const jsonb = codecWithKey(decodeString, canonicalJsonb)
/** The keys are sorted, so that equal values have one text. */
export const hstore = codec(decodeHstore)
export const numrange = codecWithKey(decodeString, canonicalNumbers)
export const encoded = codec(decodeEncoded)
export const encodedNumbers = codecWithKey(decodeEncoded, canonicalNumbers)
