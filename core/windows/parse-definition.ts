import { DEFINITION_NAME, type WindowDefinition } from './definition.ts'
import { type HeaderValues, readHeader } from './definition-header.ts'
import type { DefinitionProblem, Problem } from './definition-problem.ts'
import { readSelect, type SelectParts } from './definition-select.ts'
import { readView } from './definition-view.ts'
import { lineOf, readSqlTokens, SqlTextError, type SqlToken } from './sql-tokens.ts'

/** A definition, or everything that is wrong with the file. */
export type ParsedDefinition =
  | { readonly kind: 'parsed'; readonly definition: WindowDefinition }
  | { readonly kind: 'refused'; readonly problems: readonly DefinitionProblem[] }

/** A definition is sent in the properties of a resource. */
const LONGEST_TEXT = 32_768

/**
 * Reads a definition. `file` is its path, the end of which is `<name>.sql`. A definition without problems may still be
 * refused by Postgres, which alone knows columns, types and functions. Never throws, whatever the text is.
 */
export function parseDefinition(file: string, text: string): ParsedDefinition {
  const refuse = (problems: readonly Problem[]): ParsedDefinition => ({
    kind: 'refused',
    problems: problems
      .map(({ at, reason }) => ({ file, line: lineOf(text, at), reason }))
      .sort((a, b) => a.line - b.line),
  })
  const name = /([^\\/]*)\.sql$/.exec(file)?.[1] ?? ''
  if (!DEFINITION_NAME.test(name)) {
    return refuse([
      {
        at: 0,
        reason:
          'the name of the file is the name of the view: at most 48 lower-case letters, digits and _, of which the first is a letter, and then .sql',
      },
    ])
  }
  if (text.length > LONGEST_TEXT) {
    return refuse([{ at: 0, reason: `it has ${text.length} characters, and a definition has at most ${LONGEST_TEXT}` }])
  }
  try {
    const read = readParts(text)
    if (!('select' in read)) return refuse(read.problems)
    return { kind: 'parsed', definition: { name, ...read.header, ...read.select, view: read.view } }
  } catch (error) {
    if (error instanceof SqlTextError) return refuse([{ at: error.at, reason: error.message }])
    throw error
  }
}

type Parts = { readonly header: HeaderValues; readonly select: SelectParts; readonly view: string | undefined }

/** Header, SELECT and view are read one by one, so that a user sees what is wrong with each of them at once. */
function readParts(text: string): Parts | { readonly problems: readonly Problem[] } {
  const tokens = readSqlTokens(text)
  const { head, select, view } = cutParts(tokens)
  const problems: Problem[] = []
  const report = (problem: Problem) => void problems.push(problem)
  const header = readHeader(head, report)
  const end = tokens.at(-1)?.to ?? 0
  const parts = readSelect(text, withoutRemarks(select), header?.source, end, report)
  const query = view === undefined ? undefined : readView(text, withoutRemarks(view.tokens), view.at, report)
  if (problems.length > 0 || header === undefined || parts === undefined) return { problems }
  return { header, select: parts, view: query }
}

/** The header ends where SQL begins, and the view begins behind the line `-- view`. */
function cutParts(tokens: readonly SqlToken[]) {
  const firstOfSql = tokens.findIndex(({ kind }) => kind !== 'remark')
  const headEnd = firstOfSql === -1 ? tokens.length : firstOfSql
  const marker = tokens.findIndex(({ kind, value }, index) => index >= headEnd && kind === 'remark' && isMarker(value))
  return {
    head: tokens.slice(0, headEnd),
    select: tokens.slice(headEnd, marker === -1 ? undefined : marker),
    view: marker === -1 ? undefined : { tokens: tokens.slice(marker + 1), at: tokens[marker]!.from },
  }
}

const isMarker = (remark: string): boolean => /^--\s*view\s*$/i.test(remark)

const withoutRemarks = (tokens: readonly SqlToken[]): readonly SqlToken[] =>
  tokens.filter(({ kind }) => kind !== 'remark')

/**
 * All definitions of a project, or everything that is wrong with any of them. Two definitions do not publish to one
 * topic, because each would overwrite the other's groups.
 */
export function parseDefinitions(
  files: readonly { readonly file: string; readonly text: string }[],
):
  | { readonly kind: 'parsed'; readonly definitions: readonly WindowDefinition[] }
  | { readonly kind: 'refused'; readonly problems: readonly DefinitionProblem[] } {
  const definitions: WindowDefinition[] = []
  const problems: DefinitionProblem[] = []
  const first = new Map<string, string>()
  const claim = (what: string, { file, text }: (typeof files)[number], header: string) => {
    const other = first.get(what)
    if (other === undefined) first.set(what, file)
    else problems.push({ file, line: lineOfHeader(text, header), reason: `${what} is already that of ${other}` })
  }
  for (const each of files) {
    const parsed = parseDefinition(each.file, each.text)
    if (parsed.kind === 'refused') problems.push(...parsed.problems)
    else {
      const { definition } = parsed
      definitions.push(definition)
      claim(`the name ${definition.name}`, each, '')
      if (definition.publish !== undefined) claim(`the topic ${definition.publish}`, each, 'publish')
    }
  }
  return problems.length > 0 ? { kind: 'refused', problems } : { kind: 'parsed', definitions }
}

function lineOfHeader(text: string, name: string): number {
  const at = name === '' ? -1 : text.search(new RegExp(`^--\\s*${name}\\s*:`, 'im'))
  return at === -1 ? 1 : lineOf(text, at)
}
