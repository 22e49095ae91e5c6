import type { CorpusType } from './corpus.ts'
import type { Conditions } from './corpus-tables.ts'

/** The findings of a run about a type. */
export type TypeFinding = {
  readonly of: CorpusType
  readonly conditions: Conditions
  /** The type in the target. */
  readonly stored: string
  readonly key: { readonly kind: 'carried' | 'none in Postgres' } | { readonly kind: 'refused'; readonly why: string }
}

const introduction = `# Types

The test \`tests/pipeline/type-corpus.full.test.ts\` writes this page: it sends the values of
\`fixtures/types/\` through a running stack and compares the text of source and target
(\`npx vitest run --project full tests/pipeline/type-corpus --update\`).

Each value is read by the initial snapshot and by an incremental one, inserted, updated, left unchanged by an update of
another column, deleted, and used as a key. **Exact** means that the target then shows the same text as the source. A type
that is not exact is refused: the table is not captured, and \`tidemark.uncaptured\` in the source says why and gives the SQL
that changes it. There are only these exceptions:

- **timestamp without time zone**: values after 294247-01-10 04:00:54.775806 stop their table, because
  294247-01-10 04:00:54.775807 cannot be distinguished from infinity.
- **text, jsonb, bytea and similar types**: a value that equals the word for an unchanged TOASTed value
  (\`core/codecs/unavailable.ts\`) is read as an unchanged value.
- **citext**: keys with capitals other than A to Z stop their table, because the database decides which keys are equal.

Domains are carried as their base type. Types of extensions that are not listed are stored as text. An array, an interval or
a time with time zone is carried if the check constraints of its table exclude the values that cannot be distinguished on
the way. A table is captured with replica identity full if it has a type whose unchanged large values are missing in
updates, unless the column's storage is plain.
`

/** The text of docs/types.md. */
export function describeTypes(findings: readonly TypeFinding[]): string {
  const rows = findings.map((finding) => [
    code(finding.of.type),
    finding.conditions.refusal === undefined ? storedAs(finding) : '',
    valuesOf(finding.conditions),
    keyOf(finding),
  ])
  const checks = findings.filter(({ conditions }) => conditions.refusal === undefined && conditions.checks.length > 0)
  return `${introduction}
${table(['type', 'stored as', 'values', 'as a key'], rows)}

## Check constraints

Each of them as a constraint of its own, validated; \`c\` is the column.

${table(
  ['type', 'why', 'check'],
  checks.map(({ of, conditions }) => [
    code(of.type),
    conditions.reason!,
    conditions.checks.map((check) => code(check.replace(/\bv\b/g, 'c'))).join(' '),
  ]),
)}
`
}

const code = (text: string): string => `\`${text}\``

const storedAs = ({ of, stored }: TypeFinding): string => (stored === of.type ? 'itself' : code(stored))

function valuesOf({ refusal, checks, fullImages }: Conditions): string {
  if (refusal !== undefined) return `refused: ${refusal}`
  const needs = [...(checks.length > 0 ? ['check constraint'] : []), ...(fullImages ? ['replica identity full'] : [])]
  return needs.length === 0 ? 'exact' : `exact with ${needs.join(' and ')}`
}

function keyOf({ conditions, key }: TypeFinding): string {
  if (conditions.refusal !== undefined) return ''
  return key.kind === 'carried' ? 'exact' : key.kind === 'refused' ? `refused: ${key.why}` : key.kind
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  return [head, head.map(() => '---'), ...escaped].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
