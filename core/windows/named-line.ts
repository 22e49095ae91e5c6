import { lineOf, readSqlTokens } from './sql-tokens.ts'

/**
 * The line of a definition that a message of Postgres is about: that of the first name which the message has, such as
 * `fair` in `column "fair" does not exist`. 1 when it names nothing of the text. The text is that of a parsed definition.
 */
export function lineOfName(text: string, message: string): number {
  const names = [...message.matchAll(/"([^"]+)"|\b([a-z_][a-z0-9_$]*)\(/gi)].map(
    ([, quoted, called]) => quoted ?? called!,
  )
  const tokens = readSqlTokens(text)
  for (const name of names.flatMap((each) => [each, each.split('.').at(-1)!])) {
    const token = tokens.find(({ kind, value }) => (kind === 'word' || kind === 'name') && value === name)
    if (token !== undefined) return lineOf(text, token.from)
    const remark = tokens.find(
      ({ kind, value }) => kind === 'remark' && new RegExp(`:.*\\b${asPattern(name)}\\b`).test(value),
    )
    if (remark !== undefined) return lineOf(text, remark.from)
  }
  return 1
}

const asPattern = (name: string): string => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
