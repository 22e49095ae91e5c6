/** A piece of SQL, as Postgres's own scanner cuts it; white space and block comments between pieces are left out. */
export type SqlToken = {
  /**
   * `word`: a keyword or an unquoted name. `name`: a quoted name. `text`: a string in single quotes, with its prefix, or
   * in dollar quotes. `remark`: the comment from -- to the end of the line. `sign`: an operator or a bracket.
   */
  readonly kind: 'word' | 'name' | 'text' | 'number' | 'sign' | 'remark'
  /** The value of a word in lower case, of a name without its quotes, and everything else as it is written. */
  readonly value: string
  /** Where the piece begins and ends in the text. */
  readonly from: number
  readonly to: number
}

/** SQL that Postgres would read in another way than its author, or not at all; `at` is an index of the text. */
export class SqlTextError extends Error {
  override readonly name = 'SqlTextError'
  readonly at: number

  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

/** Cuts SQL into its pieces, in one pass. Throws an SqlTextError for what has no end, or has no place in a definition. */
export function readSqlTokens(text: string): readonly SqlToken[] {
  const tokens: SqlToken[] = []
  // Some editors begin a file with a byte order mark.
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; ) {
    const found = nextToken(text, at)
    if (found.kind !== 'space') tokens.push({ ...found, kind: found.kind, from: at })
    at = found.to
  }
  return tokens
}

/** The number of the line that the index is in, from 1. */
export const lineOf = (text: string, at: number): number => text.slice(0, at).split('\n').length

type Found = { readonly kind: SqlToken['kind'] | 'space'; readonly value: string; readonly to: number }

const space = /[ \t\n\r\f\v]+/y
/** Postgres takes every letter beyond ASCII as a part of a name. */
const word = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y
const number = /(?:\d[\w.]*(?:(?<=[eE])[+-]\d[\w.]*)?|\.\d[\w.]*)/y
const remark = /--[^\n\r]*/y
const dollarQuote = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y
const operator = /[-+*/<>=~!@#%^&|`?:]/
/** White space with a line break, before the quote that would continue a string. */
const continued = /[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'/y

function nextToken(text: string, at: number): Found {
  const char = text.charAt(at)
  const spaces = matchAt(space, text, at)
  if (spaces !== undefined) return { kind: 'space', value: spaces, to: at + spaces.length }
  if (text.startsWith('--', at)) {
    const value = matchAt(remark, text, at)!
    return { kind: 'remark', value, to: at + value.length }
  }
  if (text.startsWith('/*', at)) return { kind: 'space', value: '', to: endOfComment(text, at) }
  if (char === '"') return quotedName(text, at)
  if (char === "'") return string(text, at, at, 'plain')
  if (char === '$') return dollarText(text, at)
  return wordOrPrefix(text, at) ?? numberOrSign(text, at)
}

function wordOrPrefix(text: string, at: number): Found | undefined {
  const value = matchAt(word, text, at)
  if (value === undefined) return undefined
  const to = at + value.length
  const next = text.charAt(to)
  if (next === "'" && /^[bnx]$/i.test(value)) return string(text, at, to, 'plain')
  if (next === "'" && /^e$/i.test(value)) return string(text, at, to, 'escaped')
  if (/^u$/i.test(value) && /^&['"]/.test(text.slice(to, to + 2))) {
    throw new SqlTextError('U& escapes are not understood here: write the characters themselves', at)
  }
  return { kind: 'word', value: lowerCase(value), to }
}

function numberOrSign(text: string, at: number): Found {
  const digits = matchAt(number, text, at)
  if (digits !== undefined) return { kind: 'number', value: digits, to: at + digits.length }
  const char = text.charAt(at)
  if ('()[],;.'.includes(char)) return { kind: 'sign', value: char, to: at + 1 }
  if (!operator.test(char)) throw new SqlTextError(`${describe(char)} has no meaning in SQL here`, at)
  let to = at + 1
  // A comment may begin inside of what looks like an operator, as in `1 +-- one`.
  while (to < text.length && operator.test(text.charAt(to)) && !/^(?:--|\/\*)/.test(text.slice(to, to + 2))) to++
  return { kind: 'sign', value: text.slice(at, to), to }
}

function quotedName(text: string, at: number): Found {
  const end = endOfQuotes(text, at, '"')
  if (end === undefined) throw new SqlTextError('a name in double quotes has no end', at)
  const value = text.slice(at + 1, end - 1).replaceAll('""', '"')
  if (value === '') throw new SqlTextError('a name in double quotes is empty', at)
  return { kind: 'name', value, to: end }
}

function string(text: string, at: number, quote: number, kind: 'plain' | 'escaped'): Found {
  const to = endOfQuotes(text, quote, "'", kind === 'escaped')
  if (to === undefined) throw new SqlTextError('a string has no end', at)
  if (matchAt(continued, text, to) !== undefined) {
    throw new SqlTextError('a string that goes on in a line below is not understood here: write it as one string', at)
  }
  return { kind: 'text', value: text.slice(at, to), to }
}

/** The index behind the closing quote. A doubled quote is a quote of the content, and so is one behind a backslash. */
function endOfQuotes(text: string, from: number, quote: string, escapes = false): number | undefined {
  for (let at = from + 1; at < text.length; at++) {
    const char = text.charAt(at)
    if (escapes && char === '\\') at++
    else if (char === quote && text.charAt(at + 1) === quote) at++
    else if (char === quote) return at + 1
  }
  return undefined
}

function dollarText(text: string, at: number): Found {
  const quote = matchAt(dollarQuote, text, at)
  if (quote === undefined) throw new SqlTextError('parameters such as $1 have no value in a definition', at)
  const end = text.indexOf(quote, at + quote.length)
  if (end === -1) throw new SqlTextError(`a string that begins with ${quote} has no end`, at)
  const to = end + quote.length
  return { kind: 'text', value: text.slice(at, to), to }
}

/** Block comments contain block comments. */
function endOfComment(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const pair = text.slice(at, at + 2)
    if (pair === '/*') {
      depth++
      at++
    } else if (pair === '*/') {
      depth--
      at++
      if (depth === 0) return at + 1
    }
  }
  throw new SqlTextError('a comment that begins with /* has no end', from)
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

/** Postgres folds only the letters of ASCII in a database whose characters have several bytes. */
const lowerCase = (value: string): string => value.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

const describe = (char: string): string =>
  char < ' ' || char === '\u007f' ? `the control character ${char.charCodeAt(0)}` : `the character ${char}`
