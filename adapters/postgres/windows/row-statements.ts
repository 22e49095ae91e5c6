import type { TouchedRow, TouchedRows } from '#core/windows/touched-rows.ts'
import { literal } from '../apply/latest-state-statements.ts'
import type { Statement } from '../session/statement.ts'
import { imageStatement, type Sources } from './image-statement.ts'
import type { BuiltDefinition, LiveDefinition } from './live-definitions.ts'
import {
  cached,
  imageTable,
  isKeyless,
  keyNames,
  momentOf,
  rowsTable,
  setsAside,
  storedName,
} from './window-columns.ts'

/** A range of keys of the table, as texts: all behind `after`, up to and including `until`. */
export type KeyRange = { readonly after: readonly string[] | undefined; readonly until: readonly string[] | undefined }

/** Brings the image up to the present rows that records have named, and locks the groups that change. */
export function recordsStatement(live: LiveDefinition, { table, rows }: TouchedRows): Statement {
  const text = cached(live, `records ${live.stage} ${contractName(table)}`, () => {
    const first = isKeyless(live) ? table.columns.map((_, i) => `v${i + 1}`) : keyNames(live)
    const places = [
      'e integer',
      'p smallint',
      'l bigint',
      'live boolean',
      'read boolean',
      'watermark bigint',
      'at double precision',
      ...(setsAside(live) ? ['entered bigint', 'moved boolean'] : []),
    ]
    const parameters = [...first.map((column) => `${column} text`), ...places].map((column, i) => {
      const [, type] = / (.*)$/.exec(column)!
      return `$${i + 1}::${type}[]`
    })
    const key = isKeyless(live)
      ? `md5(row(${table.columns.map(({ carried }, i) => `v${i + 1}::${carried}`)})::text)::uuid as image`
      : live.plan.key.map(({ type }, i) => `k${i + 1}::${type} as k${i + 1}`).join(', ')
    const given = `given as materialized (
  select ${isKeyless(live) ? 'distinct on (1) ' : ''}${key}, e, p, l, live, read, ${momentOf('watermark')} as watermark,
    to_timestamp(at / 1000) at time zone 'UTC' as committed_at${setsAside(live) ? `, ${momentOf('entered')} as entered_at, moved` : ''}
  from unnest(${parameters.join(', ')}) as u (${[...first, ...places.map((place) => place.split(' ')[0])].join(', ')})
)`
    return imageStatement(live, given, isKeyless(live) ? keylessRecords(live) : keyedRecords(live), parameters.length)
  })
  const columns = rows[0]!.values.map((_, i) =>
    literal(
      rows.map(({ values }) => values[i]!),
      false,
    ),
  )
  const list = (of: (row: TouchedRow) => string | number | boolean | bigint) => `{${rows.map(of).join(',')}}`
  return {
    text,
    values: [
      ...columns,
      list(({ position }) => position.epoch),
      list(({ position }) => position.phase),
      list(({ position }) => position.lsn),
      list((row) => row.live),
      list((row) => row.read),
      list(({ watermark }) => watermark ?? 'null'),
      list(({ committedAtMs }) => committedAtMs),
      ...(setsAside(live) ? [list(({ entered }) => entered ?? 'null'), list(({ hasMoved }) => hasMoved)] : []),
      ...untilEmitted(live),
    ],
  }
}

const untilEmitted = ({ definition, emittedUntil }: LiveDefinition): (string | null)[] =>
  definition.emit === 'on close' ? [emittedUntil === undefined ? null : `${emittedUntil}`] : []

const contractName = ({ contract }: TouchedRows['table']): string => `${contract.relation} ${contract.version}`

const position = ['r."tidemark$epoch"', 'r."tidemark$phase"', 'r."tidemark$lsn"'] as const
const noPosition = ['null::integer', 'null::smallint', 'null::bigint'] as const

function keyedRecords(live: LiveDefinition): Sources {
  const same = (alias: string, columns: readonly string[]) =>
    columns.map((column, i) => `${alias}.${column} = g.k${i + 1}`).join(' and ')
  return {
    from: `given g
    left join ${rowsTable(live)} r on ${same('r', live.plan.key.map(storedName))}
    left join (select ctid as place, xmin as version, * from ${imageTable(live)}) i on ${same('i', keyNames(live))}`,
    // If the stored row is newer, its own record comes in this topic partition. A version that the image has came before.
    where: `(
      r."tidemark$live" is null
      or g.read
      or (${position}, r."tidemark$live") <= (g.e, g.p, g.l, g.live)
        and (not r."tidemark$live" or i.place is null or (i.epoch, i.phase, i.lsn) < (${position}))
    )`,
    isLive: 'coalesce(r."tidemark$live", false)',
    key: keyNames(live).map((column) => `g.${column}`),
    position,
    isOfRecord: 'not g.read',
    watermark: 'g.watermark',
    committedAt: 'g.committed_at',
  }
}

/** Of a keyless table the image has one row for each of its equal rows: those that are more than before have come now. */
function keylessRecords(live: LiveDefinition): Sources {
  return {
    from: `given g
    left join ${rowsTable(live)} r on r."tidemark$image" = g.image
    cross join lateral generate_series(1, greatest(r."tidemark$count",
      (select max(n) from ${imageTable(live)} old where old.image = g.image))::integer) as c (n)
    left join (select ctid as place, xmin as version, * from ${imageTable(live)}) i on i.image = g.image and i.n = c.n`,
    where: '(i.place is null or c.n > coalesce(r."tidemark$count", 0))',
    isLive: 'c.n <= coalesce(r."tidemark$count", 0)',
    key: ['g.image', 'c.n'],
    position: noPosition,
    isOfRecord: 'not g.read',
    watermark: 'g.watermark',
    committedAt: 'g.committed_at',
  }
}

/** Brings the image up to the present rows of a range of keys, and locks the groups that change. */
export function rangeStatement(live: LiveDefinition, range: KeyRange): Statement {
  const values = [...(range.after ?? []), ...(range.until ?? [])]
  const bound = (columns: readonly string[], sign: string, first: number) =>
    `(${columns.join(', ')}) ${sign} (${tableKey(live).map(({ type }, i) => `$${first + i}::${type}`)})`
  const within = (columns: readonly string[]) =>
    [range.after && bound(columns, '>', 1), range.until && bound(columns, '<=', 1 + (range.after?.length ?? 0))]
      .filter((one) => one !== undefined)
      .map((one) => ` and ${one}`)
      .join('')
  const image = `(select ctid as place, xmin as version, * from ${imageTable(live)} where true${within(isKeyless(live) ? ['image'] : keyNames(live))}) i`
  const columns = tableKey(live).map(({ stored }) => stored)
  const from = isKeyless(live)
    ? `(select r.*, c.n from ${rowsTable(live)} r, generate_series(1, r."tidemark$count"::integer) as c (n) where true${within(columns)}) r
    full join ${image} on i.image = r."tidemark$image" and i.n = r.n`
    : `(select * from ${rowsTable(live)} where "tidemark$live"${within(columns)}) r
    full join ${image} on ${keyNames(live)
      .map((column, i) => `i.${column} = r.${columns[i]}`)
      .join(' and ')}`
  const text = imageStatement(
    live,
    undefined,
    {
      from,
      where: 'true',
      isLive: isKeyless(live) ? 'r.n is not null' : 'coalesce(r."tidemark$live", false)',
      key: isKeyless(live)
        ? ['coalesce(r."tidemark$image", i.image)', 'coalesce(r.n, i.n)']
        : keyNames(live).map((column, i) => `coalesce(r.${columns[i]}, i.${column})`),
      position: isKeyless(live) ? noPosition : position,
      isOfRecord: 'false',
      watermark: 'null::timestamp',
      committedAt: `(now() at time zone 'UTC')`,
    },
    values.length,
  )
  return { text, values: [...values, ...untilEmitted(live)] }
}

/** The key of the table in the latest state: its columns, or the hash of a keyless row. */
const tableKey = (live: BuiltDefinition): { readonly stored: string; readonly type: string }[] =>
  isKeyless(live)
    ? [{ stored: '"tidemark$image"', type: 'uuid' }]
    : live.plan.key.map((column) => ({ stored: storedName(column), type: column.type }))

/** The key of the last row of a range of `$1` rows, as texts. No row: the range is the last one. */
export function rangeEndStatement(
  live: BuiltDefinition,
  after: readonly string[] | undefined,
  size: number,
): Statement {
  const columns = tableKey(live)
  const names = columns.map(({ stored }) => stored).join(', ')
  const behind = after && `where (${names}) > (${columns.map(({ type }, i) => `$${i + 2}::${type}`)})`
  return {
    text: `select array[${columns.map(({ stored }) => `${stored}::text`)}] as until
from ${rowsTable(live)}
${behind ?? ''}
order by ${names}
offset $1
limit 1`,
    values: [size - 1, ...(after ?? [])],
  }
}
