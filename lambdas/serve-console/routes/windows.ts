import type { SeriesRequest, SeriesResult } from '#adapters/postgres/console/window-series.ts'
import type { WindowsOfDefinition } from '#core/status/observations.ts'
import { RequestProblem } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'

/** What the routes of windows need. */
export type WindowsParts = {
  readonly definitions: () => Promise<readonly WindowsOfDefinition[]>
  readonly series: (request: SeriesRequest) => Promise<SeriesResult | undefined>
  readonly parts: Pick<UnreachableParts, 'ask'>
}

/** Answers for the definitions of windows and their results. */
export function windowsRoutes({
  definitions,
  series,
  parts,
}: WindowsParts): Pick<RouteHandlers, 'GET /windows' | 'GET /windows/:name/series'> {
  return {
    'GET /windows': async () => ({ definitions: await parts.ask('target', definitions) }),
    'GET /windows/:name/series': async ({ params, query }) => {
      const name = params['name']!
      const request: SeriesRequest = {
        name,
        measure: query.get('measure') || null,
        groups: query.getAll('group').slice(0, MOST_GROUPS),
        from: timeOf(query, 'from'),
        to: timeOf(query, 'to'),
      }
      const found = await parts.ask('target', () => series(request))
      if (found === undefined) throw new RequestProblem(404, `no definition of windows called ${name} is shown`)
      if (!('unknownMeasure' in found)) return found
      const { unknownMeasure, measures } = found
      const choice = measures.length === 0 ? 'It has no numbers.' : `It has ${measures.join(', ')}.`
      throw new RequestProblem(400, `${name} has no number ${unknownMeasure} that can be drawn`, choice)
    },
  }
}

const MOST_GROUPS = 10

/** As Postgres writes times, or as ISO 8601 does. The begins of windows are in UTC. */
const TIME = /^\d{4,6}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?Z?$/

function timeOf(query: URLSearchParams, name: string): string | null {
  const text = query.get(name)
  if (text === null || text === '') return null
  if (!TIME.test(text) || Number.isNaN(Date.parse(text.slice(0, 10)))) {
    throw new RequestProblem(400, `${name}=${text.slice(0, 50)} is no time such as 2026-11-30 14:00`)
  }
  return text
}
