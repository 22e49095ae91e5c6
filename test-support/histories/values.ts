import type { Choice } from './choice.ts'
import type { Enum } from './schema-facts.ts'

const texts = ['', 'a', 'tide', 'ÄÖ €', "it''s", 'tab\t.', 'back\\slash', '__debezium_unavailable_value']
const numbers = ['0', '-1', '7', '42', '1000', '-32000']
const numerics = ['0', '1.5', '-2.25', '99999.99', 'null', "'NaN'"]
const times = ["'2020-02-29 12:00+00'", "'1999-12-31 23:59:59.999999+00'", "'-infinity'", 'now()']
const documents = [`'{}'`, `'{"a": [1, null, "x"]}'`, `'"text"'`, `'1e400'`]

/** A type for a new column. `enums` are those of the history. */
export function newType(choice: Choice, enums: Enum[]): string {
  const types = ['integer', 'bigint', 'numeric(12,2)', 'numeric', 'text', 'character varying(20)', 'boolean', 'jsonb']
  const others = ['bytea', 'uuid', 'timestamp with time zone', 'date', 'double precision']
  const own = choice.chance(25) ? choice.of(enums) : undefined
  return own?.name ?? choice.of([...types, ...others])!
}

/** An SQL expression for a value of the type. g is a number that the statement gives to each row. */
export function valueFor(type: string, choice: Choice, enums: Enum[]): string {
  if (choice.chance(12)) return 'null'
  const own = enums.find(({ name }) => name === type)
  if (own !== undefined) return `'${choice.of(own.labels)!.replaceAll("'", "''")}'`
  const [base] = type.split('(') as [string]
  switch (base) {
    case 'integer':
    case 'bigint':
      return choice.chance(50) ? `${choice.of(numbers)}` : `${choice.below(500)} + g`
    case 'numeric':
      return choice.chance(50) ? choice.of(numerics)! : `g + ${choice.below(99)}.5`
    case 'double precision':
      return choice.of(['0.1', '-0.0', "'NaN'", "'Infinity'", '1e300', 'g / 7.0'])!
    case 'text':
      return choice.chance(25) ? largeText(choice) : `'${choice.of(texts)}' || g`
    case 'character varying':
      return `left('${choice.of(texts)}' || g, 10)`
    case 'boolean':
      return choice.of(['true', 'false'])!
    case 'jsonb':
      return choice.chance(25) ? `jsonb_build_object('t', ${largeText(choice)})` : choice.of(documents)!
    case 'bytea':
      return choice.chance(25) ? `convert_to(${largeText(choice)}, 'UTF8')` : choice.of([`'\\x'`, `'\\x00ff5c'`])!
    case 'uuid':
      return `md5((g + ${choice.below(50)})::text)::uuid`
    case 'timestamp with time zone':
    case 'timestamp without time zone':
      return choice.of(times)!
    case 'date':
      return choice.of(["'2020-02-29'", "'1999-12-31'", "'infinity'", "'2024-01-01'::date + g"])!
    case 'text[]':
      return choice.of([`'{}'`, `'{a,NULL,"b c"}'`, `'{{a,b},{c,d}}'`, `array['${choice.of(texts)}', g::text]`])!
    case 'integer[]':
      return choice.of([`'{}'`, `'{1,NULL,3}'`, `'[0:1]={1,2}'`, 'array[g, g]'])!
    default:
      return 'null'
  }
}

/** A value for a key column. It is one of few, so that rows meet the same key again. */
export function keyValueOf(type: string, choice: Choice): string {
  const [base] = type.split('(') as [string]
  const number = `(g + ${choice.below(40)})`
  if (base === 'uuid') return `md5(${number}::text)::uuid`
  if (base === 'text' || base === 'character varying') return `${choice.of([`'k'`, `'Ä '`, `''`])} || ${number}`
  if (base === 'numeric') return choice.chance(50) ? `${number}::numeric` : `(${number} * 1.0)`
  if (base === 'timestamp with time zone') return `'2020-01-01 00:00+00'::timestamptz + ${number} * interval '1 hour'`
  if (base === 'timestamp without time zone') return `'2020-01-01 00:00'::timestamp + ${number} * interval '1 minute'`
  if (base === 'date') return `'2020-01-01'::date + ${number}::integer`
  return number
}

/** Text that Postgres cannot compress and that is long enough to be stored apart from its row. */
function largeText(choice: Choice): string {
  const from = choice.below(1_000)
  return `(select string_agg(md5((n + g)::text), '') from generate_series(${from}, ${from + 200 + choice.below(300)}) n)`
}
