import { csvHeader, csvLine, type FiledChange, jsonLine } from '#core/console/change-file.ts'
import {
  CHANGE_OPS,
  type ChangeFilter,
  type ChangePage,
  type ChangeTail,
  MOST_LISTED,
  MOST_TAIL,
  type RowLife,
  type ShownChange,
  type TransactionChanges,
} from '#core/console/changes.ts'
import { PlainAnswer } from '../console-request.ts'
import {
  asked,
  cursorOf,
  digitsOf,
  limitOf,
  objectOf,
  optionalText,
  requiredText,
  timeOf,
  wordOf,
} from '../request-parameters.ts'
import { RequestProblem } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'

/** What the routes of changes ask. A cursor is the text of an earlier answer, and a text that is none is undefined. */
export type ChangePorts<Cursor, TailCursor, LifeCursor, Place> = {
  readonly parseCursor: (text: string) => Cursor | undefined
  readonly parseTailCursor: (text: string) => TailCursor | undefined
  readonly parseLifeCursor: (text: string) => LifeCursor | undefined
  readonly parsePlace: (text: string) => Place | undefined
  /** Undefined if no captured table has or had the name. */
  readonly list: (filter: ChangeFilter, cursor: Cursor | undefined, limit: number) => Promise<ChangePage | undefined>
  readonly one: (place: Place, id: string) => Promise<ShownChange | undefined>
  readonly tail: (cursor: TailCursor | undefined, limit: number) => Promise<ChangeTail>
  readonly life: (table: string, key: string, cursor: LifeCursor | undefined, limit: number) => Promise<RowLife>
  readonly transaction: (
    transaction: { epoch: number; transaction: string; at: string },
    after: Place | undefined,
    limit: number,
  ) => Promise<TransactionChanges | undefined>
  readonly exported: (
    filter: ChangeFilter,
    cursor: Cursor | undefined,
    limit: number,
  ) => Promise<{ changes: readonly FiledChange[]; next: string | null } | undefined>
  /** ms of a clock. */
  readonly now: () => number
  readonly parts: Pick<UnreachableParts, 'ask'>
}

type ChangeRoutes = Pick<
  RouteHandlers,
  | 'GET /changes'
  | 'GET /changes/tail'
  | 'GET /changes/:id'
  | 'GET /export'
  | 'GET /rows'
  | 'GET /transactions/:epoch/:transaction'
>

const usualLimit = 50
const ISO_HINT = 'A change has it as committedAt.'

/** The changes of the captured tables, as history has them. */
export function makeChangeRoutes<C, T, L, P>(ports: ChangePorts<C, T, L, P>): ChangeRoutes {
  const cursorOfQuery = (query: URLSearchParams) => cursorOf(optionalText(query, 'after'), ports.parseCursor)
  return {
    'GET /changes': async ({ query }) => {
      const filter = filterOf(query)
      const cursor = cursorOfQuery(query)
      const limit = limitOf(query, usualLimit, MOST_LISTED)
      return (await askTarget(ports, () => ports.list(filter, cursor, limit))) ?? noTable(filter)
    },
    'GET /changes/tail': async ({ query }) => {
      const cursor = cursorOf(optionalText(query, 'after'), ports.parseTailCursor)
      const limit = limitOf(query, usualLimit, MOST_TAIL)
      return await askTarget(ports, () => ports.tail(cursor, limit))
    },
    'GET /changes/:id': async ({ params: { id = '' } }) => {
      const place = ports.parsePlace(id)
      const change = place && (await askTarget(ports, () => ports.one(place, id)))
      if (change !== undefined) return change
      throw new RequestProblem(
        404,
        'history does not have this change',
        'Changes are kept for a time: see the history of its table.',
      )
    },
    'GET /export': async ({ query }) => {
      const format = wordOf(query, 'format', ['csv', 'ndjson']) ?? 'csv'
      const cursor = cursorOfQuery(query)
      return await exportAs(ports, format, filterOf(query), cursor)
    },
    'GET /rows': async ({ query }) => {
      const table = requiredText(query, 'table')
      const key = objectOf(requiredText(query, 'key'), 'key')
      const cursor = cursorOf(optionalText(query, 'after'), ports.parseLifeCursor)
      const limit = limitOf(query, usualLimit, MOST_LISTED)
      return await askTarget(ports, () => ports.life(table, key, cursor, limit))
    },
    'GET /transactions/:epoch/:transaction': async ({ params, query }) => {
      const transaction = digitsOf(params['transaction']!, 'transaction')
      const epoch = Number(digitsOf(params['epoch']!, 'epoch'))
      const at = timeOf(query, 'at') ?? requiredText(query, 'at', ISO_HINT)
      const after = cursorOf(optionalText(query, 'after'), ports.parsePlace)
      const limit = limitOf(query, usualLimit, MOST_LISTED)
      const found = await askTarget(ports, () => ports.transaction({ epoch, transaction, at }, after, limit))
      if (found !== undefined) return found
      throw new RequestProblem(
        404,
        `history has no change of transaction ${transaction} that was committed at ${at}`,
        ISO_HINT,
      )
    },
  }
}

/** What the target does not answer is a problem of the part, and what it says about given values one of the request. */
const askTarget = <T>(
  { parts }: Pick<ChangePorts<never, never, never, never>, 'parts'>,
  work: () => Promise<T>,
): Promise<T> => asked(() => parts.ask('target', work))

const noTable = ({ table }: ChangeFilter): never => {
  throw new RequestProblem(
    404,
    `no captured table is or was called ${table}`,
    'Write it with its schema, as in public.orders.',
  )
}

function filterOf(query: URLSearchParams): ChangeFilter {
  const [table, key, transaction] = ['table', 'key', 'transaction'].map((name) => optionalText(query, name))
  const [op, since, until] = [wordOf(query, 'op', CHANGE_OPS), timeOf(query, 'since'), timeOf(query, 'until')]
  const who = optionalText(query, 'who')
  if (key !== undefined && table === undefined) throw new RequestProblem(400, 'a key needs the table that it is of')
  return {
    ...(table !== undefined && { table }),
    ...(key !== undefined && { key: objectOf(key, 'key') }),
    ...(op !== undefined && { op }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(transaction !== undefined && { transaction: digitsOf(transaction, 'transaction') }),
    ...(who !== undefined && { who }),
  }
}

const [mostExported, exportedAtOnce, mostExportedBytes, exportMs] = [10_000, 500, 5_000_000, 15_000]

/**
 * The file has at most 10,000 changes, and fewer where they are large or the search takes long. Then the header
 * `x-tidemark-next` has the cursor with which the next file goes on.
 */
async function exportAs<C, T, L, P>(
  ports: ChangePorts<C, T, L, P>,
  format: 'csv' | 'ndjson',
  filter: ChangeFilter,
  from: C | undefined,
): Promise<PlainAnswer> {
  const lineOf = format === 'csv' ? csvLine : jsonLine
  const lines: string[] = []
  const beganMs = ports.now()
  let [bytes, atOnce, next, cursor] = [0, exportedAtOnce, null as string | null, from]
  for (;;) {
    const limit = Math.min(atOnce, mostExported - lines.length)
    const part = (await askTarget(ports, () => ports.exported(filter, cursor, limit))) ?? noTable(filter)
    const added = part.changes.map(lineOf)
    const size = added.reduce((sum, line) => sum + Buffer.byteLength(line), 0)
    if (bytes + size > mostExportedBytes) {
      if (lines.length > 0) break
      if (limit === 1) throw new RequestProblem(413, 'a change is larger than the file may be, which is 5 MB')
      atOnce = Math.ceil(limit / 10)
      continue
    }
    lines.push(...added)
    bytes += size
    next = part.next
    cursor = cursorOf(next ?? undefined, ports.parseCursor)
    if (next === null || lines.length >= mostExported || ports.now() - beganMs > exportMs) break
  }
  return new PlainAnswer(`${format === 'csv' ? csvHeader : ''}${lines.join('')}`, {
    'content-type':
      format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson; charset=utf-8',
    'content-disposition': `attachment; filename="changes.${format}"`,
    ...(next !== null && { 'x-tidemark-next': next }),
  })
}
