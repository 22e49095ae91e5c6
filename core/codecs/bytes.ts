import { type ColumnCodec, codec, type Decode } from './codec.ts'
import { UNAVAILABLE_BASE64, unavailable } from './unavailable.ts'
import { refuse, ValueError } from './value-error.ts'

const digits = new Int16Array(128).fill(-1)
for (const [value, digit] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  digits[digit.charCodeAt(0)] = value
}

/** The bytes of base64 text with padding. Throws a ValueError on any other text. */
export function base64ToBytes(text: string): Uint8Array {
  const length = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length
  const bytes = new Uint8Array(Math.floor((length * 3) / 4))
  let held = 0
  let bits = 0
  let at = 0
  for (let i = 0; i < length; i++) {
    const digit = digits[text.charCodeAt(i)] ?? -1
    if (digit < 0) refuse('text in base64', text)
    held = ((held << 6) | digit) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = (held >> bits) & 0xff
    }
  }
  return bytes
}

/** The text of UTF-8 bytes. Throws a ValueError when the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i++]!
    const following = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1
    if (following === -1 || i + following > bytes.length) throw notUtf8()
    let point = following === 0 ? first : first & (0x3f >> following)
    for (let n = 0; n < following; n++) {
      const next = bytes[i++]!
      if ((next & 0xc0) !== 0x80) throw notUtf8()
      point = (point << 6) | (next & 0x3f)
    }
    if (point < smallest[following]! || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) throw notUtf8()
    text += String.fromCodePoint(point)
  }
  return text
}

/**
 * The smallest code point, by the number of bytes that follow the first: UTF-8 must write a smaller one with fewer
 * bytes.
 */
const smallest = [0, 0x80, 0x800, 0x10000]

const notUtf8 = () => new ValueError('the bytes are not text in UTF-8')

const hexDigits = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))

const decodeBytea: Decode = (wire) => {
  if (wire === UNAVAILABLE_BASE64) return unavailable
  if (typeof wire !== 'string') return refuse('bytea', wire)
  return `\\x${hexOf(base64ToBytes(wire))}`
}

/**
 * It is built from character codes. A text that grows by two characters at a time is a chain of pieces for V8, and a
 * large value would have millions of them.
 */
function hexOf(bytes: Uint8Array): string {
  const pieces: string[] = []
  for (let from = 0; from < bytes.length; from += 2048) {
    const piece = bytes.subarray(from, from + 2048)
    const codes = new Array<number>(2 * piece.length)
    for (let i = 0; i < piece.length; i++) {
      codes[2 * i] = hexDigits[piece[i]! >> 4]!
      codes[2 * i + 1] = hexDigits[piece[i]! & 15]!
    }
    pieces.push(String.fromCharCode(...codes))
  }
  return pieces.join('')
}

export const bytea = codec(decodeBytea)

/**
 * Bit strings of a fixed length. One bit arrives as a boolean, and others as bytes, the lowest first, without zero
 * bytes at the end.
 */
export function bits(length: number): ColumnCodec {
  if (length === 1) return codec((wire) => (wire === true ? '1' : wire === false ? '0' : refuse('bit(1)', wire)), true)
  return codec((wire) => {
    if (typeof wire !== 'string') return refuse(`bit(${length})`, wire)
    const bytes = base64ToBytes(wire)
    let text = ''
    for (let bit = length - 1; bit >= 0; bit--) text += ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1
    for (let bit = length; bit < bytes.length * 8; bit++) {
      if (((bytes[bit >> 3]! >> (bit & 7)) & 1) === 1) refuse(`bit(${length})`, wire)
    }
    return text
  }, true)
}
