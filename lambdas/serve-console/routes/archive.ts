import type { ArchiveContents } from '#adapters/iceberg/archive/archive-view.ts'
import type { QueryResult } from '#core/console/archive.ts'
import type { ArchiveObservation } from '#core/status/observations.ts'
import { postedBody, textIn } from '../posted-body.ts'
import type { Refusal } from '../refusal.ts'
import { RequestProblem } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'

/** What the routes of the archive need. */
export type ArchiveParts = {
  readonly observe: () => Promise<ArchiveObservation>
  /** Reads what the table has. It is read again sooner where `version` is another one. */
  readonly read: (version: string) => Promise<ArchiveContents>
  /** Runs a query that only reads, with a limit of rows and of time; null where queries run elsewhere. */
  readonly query: ((sql: string) => Promise<QueryResult | Refusal>) | null
  readonly parts: Pick<UnreachableParts, 'ask'>
}

const MOST_SQL = 20_000

/** Answers for the archive, and queries it where an engine runs beside the console. */
export function archiveRoutes({
  observe,
  read,
  query,
  parts,
}: ArchiveParts): Pick<RouteHandlers, 'GET /archive' | 'POST /archive/query'> {
  let version = ''
  return {
    'GET /archive': () =>
      parts.ask('archive', async () => {
        const [now, contents] = await Promise.all([observe(), read(version)])
        version = `${now.rows} ${now.files} ${now.tableSnapshots}`
        return { now, ...contents }
      }),
    'POST /archive/query': async (request) => {
      if (query === null) throw new RequestProblem(404, 'this console does not query the archive')
      const sql = textIn(postedBody(request), 'sql')
      if (sql.trim() === '') throw new RequestProblem(400, 'there is no query')
      if (sql.length > MOST_SQL) throw new RequestProblem(413, `a query has at most ${MOST_SQL} characters`)
      const result = await query(sql)
      if ('refused' in result) throw new RequestProblem(400, result.refused, result.hint)
      return result
    },
  }
}
