import type { ActionName, ActionRequest } from '#core/console/actions.ts'

/** An action: what it will do, and doing it. Both throw a RequestProblem for a request that cannot be done. */
export type ActionExecutor = {
  /** Sentences about what will happen. Nothing is changed. */
  plan(request: ActionRequest): Promise<readonly string[]>
  /** A sentence about what was done. */
  execute(request: ActionRequest): Promise<string>
}

/** The executors of some actions. */
export type ActionExecutors<Name extends ActionName> = { readonly [N in Name]: ActionExecutor }
