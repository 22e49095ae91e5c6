import { FIXED_COLUMNS, isShortName } from './column-names.ts'
import type { NamedExpression, WindowDefinition } from './definition.ts'
import type { SourceTable } from './definition-header.ts'
import { type Problem, quoted, type Report } from './definition-problem.ts'
import { is, isBalanced, levelsOf, splitAtCommas, writeTokens } from './sql-phrases.ts'
import type { SqlToken } from './sql-tokens.ts'

/**
 * The parts of a definition's SELECT, each an expression whose brackets and quotes are closed, without comments. Keys
 * are the items that `group by` names, and aggregates the others.
 */
export type SelectParts = Pick<WindowDefinition, 'keys' | 'aggregates' | 'where' | 'having'>

type Tokens = readonly SqlToken[]
type Clause = 'select' | 'from' | 'where' | 'group by' | 'having'

/**
 * Cuts `select … from … where … group by … having …` into its parts, and reports everything else. `end` is where the
 * file ends. Undefined when the parts cannot be found.
 */
export function readSelect(
  text: string,
  all: Tokens,
  source: SourceTable | undefined,
  end: number,
  report: Report,
): SelectParts | undefined {
  const tokens = oneStatement(all, report)
  if (!beginsAsSelect(tokens, end, report) || !isBalanced(tokens, report)) return undefined
  reportWhatReadsOthers(tokens, report)
  const clauses = cutClauses(tokens, report)
  const write = (part: Tokens) => writeTokens(text, part)
  const items = readItems(clauses.get('select') ?? [], source, write, end, report)
  const problem = source && problemOfFrom(clauses.get('from') ?? [], source, end)
  if (problem !== undefined) report(problem)
  const names = readGroupBy(clauses.get('group by'), items, report)
  const parts = {
    keys: items.filter(({ alias }) => names.includes(alias)),
    aggregates: items.filter(({ alias }) => !names.includes(alias)),
    where: predicate(clauses, 'where', write, end, report),
    having: predicate(clauses, 'having', write, end, report),
  }
  if (items.length > 0 && parts.aggregates.length === 0) {
    report({ at: tokens[0]!.from, reason: 'nothing is computed of a group: add an item such as count(*) as trips' })
  }
  return parts
}

/** The tokens before the semicolon, which only the end of the part may follow. */
function oneStatement(tokens: Tokens, report: Report): Tokens {
  const semicolon = tokens.findIndex(is('sign', ';'))
  if (semicolon === -1) return tokens
  const next = tokens[semicolon + 1]
  if (next !== undefined) {
    report({
      at: next.from,
      reason: 'a definition has one SELECT; the query that users see comes after a line -- view',
    })
  }
  return tokens.slice(0, semicolon)
}

function beginsAsSelect(tokens: Tokens, end: number, report: Report): boolean {
  const first = tokens[0]
  if (first !== undefined && is('word', 'select')(first)) return true
  const reason =
    first === undefined
      ? 'there is no SELECT'
      : is('word', 'with')(first)
        ? 'WITH is not possible here: the SELECT is over the rows of one table. Join and combine in the part after -- view'
        : `the SQL begins with ${quoted(first.value)} instead of select`
  report({ at: first?.from ?? end, reason })
  return false
}

/** What reads more than the row, at any depth: nothing would compute the group again when the other rows change. */
function reportWhatReadsOthers(tokens: Tokens, report: Report): void {
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1]
    const isSubquery =
      (index > 0 && is('word', 'select')(token)) ||
      is('word', 'table')(token) ||
      (is('word', 'values')(token) && before !== undefined && is('sign', '(')(before))
    if (isSubquery) {
      report({
        at: token.from,
        reason: 'subqueries are not possible here: read other tables in the part after -- view',
      })
    }
    if (is('word', 'over')(token) && before !== undefined && is('sign', ')')(before)) {
      report({
        at: token.from,
        reason: 'window functions (over) are not possible here; they are in the part after -- view',
      })
    }
  }
}

const order: readonly Clause[] = ['select', 'from', 'where', 'group by', 'having']

/** Why a word that begins another clause of SQL is refused. */
const refused = new Map([
  ['order', 'the rows of a group have no order here: ORDER BY belongs in the part after -- view'],
  ['limit', 'LIMIT belongs in the part after -- view'],
  ['offset', 'OFFSET belongs in the part after -- view'],
  ['fetch', 'FETCH belongs in the part after -- view'],
  ['for', 'FOR is not possible in a definition'],
  ['into', 'INTO is not possible: the name of the file is the name of the result'],
  ['window', 'window functions are not possible here; they are in the part after -- view'],
  ['union', 'UNION is not possible: write a definition for each SELECT, and join them in the part after -- view'],
  ['intersect', 'INTERSECT is not possible in a definition'],
  ['except', 'EXCEPT is not possible in a definition'],
])

function cutClauses(tokens: Tokens, report: Report): ReadonlyMap<Clause, Tokens> {
  const clauses = new Map<Clause, SqlToken[]>([['select', []]])
  let current: Clause = 'select'
  let depth = 0
  for (let index = 1; index < tokens.length; index++) {
    const token = tokens[index]!
    depth += levelsOf(token)
    const clause = depth === 0 ? clauseAt(tokens, index) : undefined
    if (clause === undefined) {
      const isName = tokens[index - 1]!.value === '.' || is('word', 'as')(tokens[index - 1]!)
      const reason = depth === 0 && token.kind === 'word' && !isName ? refused.get(token.value) : undefined
      if (reason !== undefined) {
        report({ at: token.from, reason })
        return clauses
      }
      clauses.get(current)!.push(token)
      continue
    }
    if (order.indexOf(clause) <= order.indexOf(current)) {
      report({ at: token.from, reason: `${clause} comes in the wrong place, or a second time` })
      return clauses
    }
    current = clause
    clauses.set(clause, [])
    if (clause === 'group by') index++
  }
  return clauses
}

/** The clause that begins at the token. `is distinct from` has a word that begins none. */
function clauseAt(tokens: Tokens, index: number): Clause | undefined {
  const [before, token, next] = [tokens[index - 1]!, tokens[index]!, tokens[index + 1]]
  if (token.kind !== 'word' || before.value === '.' || is('word', 'as')(before)) return undefined
  if (token.value === 'from') return is('word', 'distinct')(before) ? undefined : 'from'
  if (token.value === 'where' || token.value === 'having') return token.value
  return token.value === 'group' && next !== undefined && is('word', 'by')(next) ? 'group by' : undefined
}

function readItems(
  tokens: Tokens,
  source: SourceTable | undefined,
  write: (part: Tokens) => string,
  end: number,
  report: Report,
): readonly NamedExpression[] {
  const first = tokens[0]
  if (first !== undefined && (is('word', 'distinct')(first) || is('word', 'all')(first))) {
    report({
      at: first.from,
      reason: `SELECT ${first.value.toUpperCase()} is not possible: group by says what is one row`,
    })
    return []
  }
  const items: NamedExpression[] = []
  for (const part of splitAtCommas(tokens)) {
    const item = readItem(part, source, write)
    const at = part[0]?.from ?? first?.from ?? end
    if ('reason' in item) report({ at, reason: item.reason })
    else if ((FIXED_COLUMNS as readonly string[]).includes(item.alias)) {
      report({ at, reason: `${quoted(item.alias)} is a column that every result has: choose another name` })
    } else if (!isShortName(item.alias)) {
      report({ at, reason: `the name ${quoted(item.alias)} is longer than the 63 bytes that Postgres keeps` })
    } else if (items.some(({ alias }) => alias === item.alias)) {
      report({ at, reason: `two items have the name ${quoted(item.alias)}` })
    } else items.push(item)
  }
  return items
}

/** `expression as name`, or a column, whose name is that of the item. */
function readItem(
  part: Tokens,
  source: SourceTable | undefined,
  write: (part: Tokens) => string,
): NamedExpression | { readonly reason: string } {
  const last = part.at(-1)
  if (last === undefined) return { reason: 'an item is empty' }
  const isName = last.kind === 'word' || last.kind === 'name'
  const beforeLast = part.at(-2)
  if (part.length > 2 && isName && beforeLast !== undefined && is('word', 'as')(beforeLast)) {
    return { alias: last.value, sql: write(part.slice(0, -2)) }
  }
  const isColumn =
    part.length === 1 || (part.length === 3 && part[1]!.value === '.' && part[0]!.value === source?.table)
  if (isName && isColumn) return { alias: last.value, sql: write(part) }
  return last.value === '*'
    ? { reason: 'name the columns instead of *' }
    : { reason: `an item has no name: write ${write(part).slice(0, 60)} as name` }
}

/** Why what comes after FROM is not the source table alone; undefined when it is. */
function problemOfFrom(tokens: Tokens, source: SourceTable, end: number): Problem | undefined {
  const first = tokens[0]
  if (first === undefined) return { at: end, reason: 'FROM and the source table are missing' }
  const join = tokens.find((token) => is('sign', ',')(token) || (token.kind === 'word' && JOINS.test(token.value)))
  if (join !== undefined) {
    return { at: join.from, reason: 'FROM has one table, the source: join others in the part after -- view' }
  }
  const path = tokens.filter((_, index) => index % 2 === 0)
  const { schema, table } = source
  const isTable =
    tokens.length % 2 === 1 &&
    path.every(({ kind }) => kind === 'word' || kind === 'name') &&
    tokens.every((token, index) => index % 2 === 0 || is('sign', '.')(token))
  const names = path.map(({ value }) => value)
  if (isTable && (isSame(names, [table]) || isSame(names, [schema, table]))) return undefined
  const reason = tokens.some(({ value }) => value === table)
    ? `after FROM comes ${table} alone, without another name`
    : `FROM names another table than the source ${schema}.${table}`
  return { at: first.from, reason }
}

const JOINS = /^(?:join|natural|cross|left|right|full|inner)$/

const isSame = (some: readonly string[], others: readonly string[]): boolean =>
  some.length === others.length && some.every((each, index) => each === others[index])

/** The names of the items that are keys. Without `group by`, each window is one group. */
function readGroupBy(tokens: Tokens | undefined, items: readonly NamedExpression[], report: Report): readonly string[] {
  const names: string[] = []
  for (const part of tokens === undefined ? [] : splitAtCommas(tokens)) {
    const [token] = part
    const at = token?.from ?? tokens?.[0]?.from ?? 0
    const isName = part.length === 1 && (token!.kind === 'word' || token!.kind === 'name')
    if (token === undefined || !isName) {
      report({ at, reason: 'group by has the names of items: write expression as name in the SELECT' })
    } else if (!items.some(({ alias }) => alias === token.value)) {
      report({ at, reason: `group by ${quoted(token.value)}: no item of the SELECT has this name` })
    } else if (names.includes(token.value)) {
      report({ at, reason: `group by has ${quoted(token.value)} twice` })
    } else names.push(token.value)
  }
  return names
}

function predicate(
  clauses: ReadonlyMap<Clause, Tokens>,
  clause: 'where' | 'having',
  write: (part: Tokens) => string,
  end: number,
  report: Report,
): string | undefined {
  const tokens = clauses.get(clause)
  if (tokens === undefined) return undefined
  const comma = splitAtCommas(tokens)[1]
  if (tokens.length === 0 || comma !== undefined) {
    report({ at: comma?.[0]?.from ?? end, reason: `${clause} is followed by one condition` })
    return undefined
  }
  return write(tokens)
}
