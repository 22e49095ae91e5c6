import type { ActionName } from '#core/console/actions.ts'
import type { ActionExecutors } from '../action-executor.ts'
import { RequestProblem } from '../request-problem.ts'
import { type ActionExecutor, ActionRefusedError } from '../routes/actions.ts'

/**
 * The executors as the route of actions takes them. A request that turns out to be impossible while it is executed is
 * recorded as refused.
 */
export function recordedExecutors<Name extends ActionName>(
  executors: ActionExecutors<Name>,
): Readonly<Record<Name, ActionExecutor>> {
  const all = Object.entries(executors) as [Name, ActionExecutors<Name>[Name]][]
  const adapted = all.map(([name, { plan, execute }]): [Name, ActionExecutor] => [
    name,
    {
      plan: async (request) => ({ kind: 'plan', will: await plan(request), command: null, needsReason: false }),
      execute: (request) =>
        execute(request).catch((error) => {
          if (!(error instanceof RequestProblem)) throw error
          throw new ActionRefusedError(error.message, error.hint)
        }),
    },
  ])
  return Object.fromEntries(adapted) as Record<Name, ActionExecutor>
}
