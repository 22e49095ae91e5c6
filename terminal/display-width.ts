const segmenter = new Intl.Segmenter()
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
const escapeSequence = /\u001b\[[0-9;]*m/
const escapeSequences = new RegExp(escapeSequence, 'g')

/**
 * The first code points of characters that take two columns: East Asian Wide and Fullwidth, and emoji. Sources are
 * Unicode Standard Annex 11, and Emoji_Presentation of Unicode Technical Standard 51.
 */
const wide =
  /^(?:[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|.\ufe0f)/u

/** The number of columns that a terminal needs for a text. Colours need none. */
export function displayWidth(text: string): number {
  const shown = text.replace(escapeSequences, '')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
  if (/^[\x00-\x7f]*$/.test(shown)) return shown.length
  return [...segmenter.segment(shown)].reduce((sum, { segment }) => sum + widthOf(segment), 0)
}

function widthOf(character: string): number {
  // Halfwidth voicing marks need a column of their own, although they belong to the character before them.
  const marks = character.slice(1).match(/[\uff9e\uff9f]/g)?.length ?? 0
  return marks + (wide.test(character) ? 2 : /^\p{M}/u.test(character) ? 0 : 1)
}

/** Cuts a text to a width, with an ellipsis if something is missing. Colours end where the text ends. */
export function cutText(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let kept = ''
  let left = width - 1
  let isColoured = false
  for (const part of partsOf(text)) {
    if (escapeSequence.test(part)) {
      isColoured = true
      kept += part
      continue
    }
    left -= widthOf(part)
    if (left < 0) break
    kept += part
  }
  return width < 1 ? '' : `${kept}…${isColoured ? '\u001b[0m' : ''}`
}

/** Removes the middle of a name that is too long, because names of one kind often differ only at their end. */
export function shortenName(name: string, width: number): string {
  if (displayWidth(name) <= width) return name
  const characters = partsOf(name)
  const end = takeWidth(characters.toReversed(), Math.floor((width - 1) / 2))
    .reverse()
    .join('')
  const start = takeWidth(characters, width - 1 - displayWidth(end)).join('')
  return width < 1 ? '' : `${start}…${end}`
}

/** Lines of at most `width` columns, broken between words if possible. There are at most `most` lines. */
export function wrapText(text: string, width: number, most = Infinity): string[] {
  const lines: string[] = []
  let line = ''
  let taken = 0
  for (const word of text.split(' ')) {
    const needed = displayWidth(word)
    if (taken > 0 && taken + 1 + needed <= width) {
      line += ` ${word}`
      taken += 1 + needed
      continue
    }
    if (taken > 0) lines.push(line)
    if (lines.length >= most) return lines
    const pieces = needed <= width ? [word] : breakWord(word, width)
    lines.push(...pieces.slice(0, -1))
    line = pieces.at(-1)!
    taken = displayWidth(line)
  }
  return [...lines, line].slice(0, most)
}

/** Replaces characters that would move the cursor or change the writing direction by visible ones. */
export function visibleText(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0)!
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : '\ufffd'
  })
}

function breakWord(word: string, width: number): string[] {
  const pieces = ['']
  let left = Math.max(2, width)
  for (const character of partsOf(word)) {
    const needed = widthOf(character)
    if (needed > left) {
      pieces.push('')
      left = Math.max(2, width)
    }
    pieces[pieces.length - 1] += character
    left -= needed
  }
  return pieces
}

function takeWidth(characters: readonly string[], width: number): string[] {
  let left = width
  const end = characters.findIndex((character) => {
    left -= widthOf(character)
    return left < 0
  })
  return characters.slice(0, end < 0 ? characters.length : end)
}

/** The characters as a reader counts them, and the escape sequences. */
function partsOf(text: string): string[] {
  return text
    .split(new RegExp(`(${escapeSequence.source})`))
    .flatMap((part) =>
      escapeSequence.test(part) ? [part] : [...segmenter.segment(part)].map(({ segment }) => segment),
    )
}
