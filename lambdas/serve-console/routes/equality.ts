import type { Equality } from '#core/console/equality.ts'
import { postedBody } from '../posted-body.ts'
import { RequestProblem } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'

/** Comparisons of source and target, one at a time. */
export type EqualityPort = {
  /** Begins one of these tables, or of all. */
  readonly start: (tables: readonly string[] | null) => Promise<Equality>
  readonly state: () => Equality | null
}

/** Answers what the last comparison found, and begins one; `equality` is null where the console cannot compare. */
export const equalityRoutes = (
  equality: EqualityPort | null,
): Pick<RouteHandlers, 'GET /equality' | 'POST /equality'> => ({
  'GET /equality': async () => ({ equality: equality?.state() ?? null }),
  'POST /equality': async (request) => {
    const tables = tablesOf(postedBody(request))
    if (equality === null) {
      throw new RequestProblem(404, 'this console does not compare source and target', 'npm run compare does.')
    }
    const state = equality.state()?.state
    if (state === 'waiting' || state === 'comparing') {
      throw new RequestProblem(409, 'a comparison is under way', 'Wait until it has ended.')
    }
    return equality.start(tables)
  },
})

function tablesOf({ tables = null }: Readonly<Record<string, unknown>>): readonly string[] | null {
  if (tables === null) return null
  if (Array.isArray(tables) && tables.length > 0 && tables.every((each) => typeof each === 'string')) return tables
  throw new RequestProblem(400, 'tables is null for all, or a list of names such as public.orders')
}
