import * as v from 'valibot'
import {
  ACTION_NAMES,
  type ActionAnswer,
  type ActionName,
  type ActionRequest,
  type RecordedAction,
} from '#core/console/actions.ts'
import type { RoutedRequest } from '../console-request.ts'
import { cursorOf, digitsOf, limitOf, optionalText } from '../request-parameters.ts'
import { messageOf, RequestProblem } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'

/** What an action will do, before it is confirmed. `refused` if it cannot be done at all. */
export type ActionPlan = Extract<ActionAnswer, { kind: 'plan' | 'refused' }>

/** An action that is confirmed: `id` is the number of its row. */
export type ConfirmedAction = ActionRequest & { readonly who: string; readonly id: string }

/**
 * How an action is planned and executed. `execute` resolves with what was done. An error of the database, or one that
 * `isRefusal` says is a refusal, is an answer and not a failure.
 */
export type ActionExecutor = {
  readonly plan: (request: ActionRequest) => Promise<ActionPlan>
  readonly execute: (action: ConfirmedAction) => Promise<string>
}

/** The record of actions, which a role that may only read cannot write. */
export type ActionRecord = {
  readonly begin: (action: {
    who: string
    action: ActionName
    target: string
    reason: string | null
    appVersion: string
  }) => Promise<string>
  readonly finish: (id: string, outcome: 'done' | 'refused' | 'failed', result: string) => Promise<boolean>
}

/** What the routes of actions ask. */
export type ActionPorts = {
  readonly list: (before: string | undefined, limit: number) => Promise<RecordedAction[]>
  /** Undefined where the console may only read. */
  readonly record: ActionRecord | undefined
  readonly executors: Readonly<Partial<Record<ActionName, ActionExecutor>>>
  readonly appVersion: string
}

/** An action cannot be done as things are: the message says why. */
export class ActionRefusedError extends Error {
  override readonly name = 'ActionRefusedError'
  readonly hint: string | null

  constructor(message: string, hint: string | null = null) {
    super(message)
    this.hint = hint
  }
}

const bodySchema = v.object({
  target: v.pipe(v.string(), v.minLength(1), v.maxLength(500)),
  confirmed: v.boolean(),
  reason: v.optional(v.pipe(v.string(), v.maxLength(2_000))),
  configuration: v.optional(v.record(v.string(), v.string())),
})

/** The actions of the console and their record. An action that is not confirmed changes nothing and leaves no row. */
export function makeActionRoutes(ports: ActionPorts): Pick<RouteHandlers, 'GET /actions' | 'POST /actions/:action'> {
  return {
    'GET /actions': async ({ query }) => {
      const before = cursorOf(optionalText(query, 'after'), (text) => digitsOf(text, 'after'))
      const limit = limitOf(query, 50, 200)
      const found = await ports.list(before, limit + 1)
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? items.at(-1)!.id : null }
    },
    'POST /actions/:action': async (request) => {
      const action = ACTION_NAMES.find((name) => name === request.params['action'])
      if (action === undefined) throw new RequestProblem(404, `there is no action ${request.params['action']}`)
      const body = bodyOf(request)
      const executor = ports.executors[action]
      if (ports.record === undefined || executor === undefined) {
        throw new RequestProblem(
          403,
          `this console does not execute ${action}`,
          'It may only read: use the command instead.',
        )
      }
      const plan = await executor.plan(body)
      if (plan.kind === 'refused' || !body.confirmed) return plan
      if (plan.needsReason && (body.reason ?? '').trim() === '') {
        throw new RequestProblem(400, 'a reason is needed, which is kept with the action')
      }
      return await execute(ports.record, executor, {
        action,
        request: body,
        who: request.who,
        appVersion: ports.appVersion,
      })
    },
  }
}

/** Neither the text nor the parser's message is shown, because a configuration may have a password in it. */
function bodyOf({ body }: RoutedRequest): ActionRequest {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), bodySchema), body)
  if (!parsed.success) {
    const where = v.getDotPath(parsed.issues[0])
    throw new RequestProblem(
      400,
      where === null ? 'the body is no JSON of an action' : `the body has no valid ${where}`,
    )
  }
  const { reason, configuration, ...rest } = parsed.output
  return { ...rest, ...(reason !== undefined && { reason }), ...(configuration !== undefined && { configuration }) }
}

type Execution = {
  readonly action: ActionName
  readonly request: ActionRequest
  readonly who: string
  readonly appVersion: string
}

/** The row of an action is committed before it begins. An outcome that cannot be recorded leaves it as running. */
async function execute(
  record: ActionRecord,
  { execute: work }: ActionExecutor,
  { action, request, who, appVersion }: Execution,
): Promise<ActionAnswer> {
  const { target, reason = null } = request
  const id = await record.begin({ who, action, target, reason, appVersion })
  try {
    const result = await work({ ...request, who, id })
    await record.finish(id, 'done', result)
    return { kind: 'done', result }
  } catch (error) {
    const refusal = refusalOf(error)
    await record.finish(id, refusal === undefined ? 'failed' : 'refused', refusal?.why ?? messageOf(error))
    if (refusal === undefined) throw error
    return refusal
  }
}

/** The classes of SQLSTATE with which a database says no; the others say that it could not answer. */
const saysNo = /^(0A|22|23|42|55|P0)/

function refusalOf(error: unknown): Extract<ActionAnswer, { kind: 'refused' }> | undefined {
  if (error instanceof ActionRefusedError) return { kind: 'refused', why: error.message, hint: error.hint }
  if (!(error instanceof Error && 'severity' in error && 'code' in error)) return undefined
  // A missing right is a problem of the console and not of the action: serve-console answers it.
  if (!saysNo.test(String(error.code)) || error.code === '42501') return undefined
  return {
    kind: 'refused',
    why: error.message,
    hint: 'hint' in error && typeof error.hint === 'string' ? error.hint : null,
  }
}
