const digits = new Map(
  [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((character, i) => [character, i]),
)

/** The bytes that base64 text stands for, in hexadecimal. Throws a RangeError on a character that is no digit of it. */
export function base64Hex(text: string): string {
  let hex = ''
  let bits = 0
  let held = 0
  for (const character of text.replace(/=+$/, '')) {
    const digit = digits.get(character)
    if (digit === undefined) throw new RangeError(`'${character}' is not part of base64 text`)
    held = ((held << 6) | digit) & 0xfff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      hex += ((held >> bits) & 0xff).toString(16).padStart(2, '0')
    }
  }
  return hex
}

/** The UTF-8 text in base64. Throws a RangeError on a character that is no digit, a URIError on bytes that are no UTF-8. */
export const base64Text = (text: string): string => decodeURIComponent(base64Hex(text).replace(/../g, '%$&'))
