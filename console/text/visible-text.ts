/** A run of text that is shown as it is, or a mark that stands for a character which nobody could see. */
export type TextPart = { readonly kind: 'plain' | 'mark'; readonly text: string; readonly name: string | null }

/** Characters without a shape of their own, and those that turn the direction of what follows them. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu

/** `line` marks line feeds, and `block` breaks there. `part` is a line of which more follows: spaces at its end are not marked. */
export type TextForm = 'line' | 'part' | 'block'

/**
 * Splits a text of a user into what is shown as it is and marks for control characters, bidirectional overrides, spaces
 * of other kinds and halves of characters. Nothing is left out, so that two texts that differ never look the same.
 */
export function markText(text: string, form: TextForm = 'line'): readonly TextPart[] {
  const parts: TextPart[] = []
  let from = 0
  for (const { 0: character, index } of text.matchAll(invisible)) {
    if (isHarmless(character, text, index, form)) continue
    if (index > from) parts.push(plain(text.slice(from, index)))
    parts.push(markOf(character))
    from = index + character.length
  }
  const rest = text.slice(from)
  const spaces = form === 'part' ? null : / +$/.exec(rest)
  if (spaces === null) return rest === '' ? parts : [...parts, plain(rest)]
  if (spaces.index > 0) parts.push(plain(rest.slice(0, spaces.index)))
  return [...parts, { kind: 'mark', text: spaces[0].replaceAll(' ', '␣'), name: 'spaces at the end' }]
}

const plain = (text: string): TextPart => ({ kind: 'plain', text, name: null })

/** Joiners and variation selectors belong to the character before them in scripts and emoji that need them. */
function isHarmless(character: string, text: string, index: number, form: TextForm): boolean {
  if (form === 'block' && (character === '\n' || character === '\t')) return true
  const code = character.codePointAt(0)!
  const isJoining = code === 0x200c || code === 0x200d || (code >= 0xfe00 && code <= 0xfe0f)
  return isJoining && index > 0 && text.charCodeAt(index - 1) > 0x2ff && text.charCodeAt(index - 1) !== code
}

/** The names that ASCII gives its control characters. Few fonts have the pictures that Unicode has for them. */
const controls =
  'NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(
    ' ',
  )

function markOf(character: string): TextPart {
  const code = character.codePointAt(0)!
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  return { kind: 'mark', text: code === 0x7f ? 'DEL' : (controls[code] ?? name), name }
}
