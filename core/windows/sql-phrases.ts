import type { Report } from './definition-problem.ts'
import type { SqlToken } from './sql-tokens.ts'

/** Whether a token is this one. */
export const is =
  (kind: SqlToken['kind'], value: string) =>
  (token: SqlToken): boolean =>
    token.kind === kind && token.value === value

const closing = new Map([
  ['(', ')'],
  ['[', ']'],
])

/** How much deeper in brackets the next token is. */
export function levelsOf({ kind, value }: SqlToken): -1 | 0 | 1 {
  if (kind !== 'sign') return 0
  return closing.has(value) ? 1 : value === ')' || value === ']' ? -1 : 0
}

/** Without this, a part in parentheses could end before its author means it to. */
export function isBalanced(tokens: readonly SqlToken[], report: Report): boolean {
  const open: SqlToken[] = []
  for (const token of tokens) {
    if (token.kind !== 'sign') continue
    if (closing.has(token.value)) open.push(token)
    else if (token.value === ')' || token.value === ']') {
      const opened = open.pop()
      if (opened === undefined || closing.get(opened.value) !== token.value) {
        report({ at: token.from, reason: `${token.value} closes no bracket of its kind` })
        return false
      }
    }
  }
  const left = open.at(-1)
  if (left === undefined) return true
  report({ at: left.from, reason: `${left.value} is not closed` })
  return false
}

/** The parts between the commas that are in no bracket. */
export function splitAtCommas(tokens: readonly SqlToken[]): readonly (readonly SqlToken[])[] {
  const parts: SqlToken[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    depth += levelsOf(token)
    if (depth === 0 && is('sign', ',')(token)) parts.push([])
    else parts.at(-1)!.push(token)
  }
  return parts
}

/** The SQL of the tokens, with one space where something was between them: no comment can hide what comes after it. */
export const writeTokens = (text: string, tokens: readonly SqlToken[]): string =>
  tokens
    .map(({ from, to }, index) => (index > 0 && tokens[index - 1]!.to < from ? ' ' : '') + text.slice(from, to))
    .join('')
