import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { arn, type LocalAccount } from '../local-account.ts'
import { makeStandIn } from '../stand-in.ts'

const UNIT_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** A timer that invokes the rule's functions. */
export const rule = makeStandIn({
  properties: {
    ScheduleExpression: v.string('rules on events have no stand-in, schedules have'),
    State: v.optional(v.picklist(['ENABLED', 'DISABLED']), 'ENABLED'),
    Targets: v.array(v.object({ Arn: v.string(), Input: v.optional(v.string()) })),
  },
  ignores: ['Description', 'Name', 'Tags'],
  attributes: ['Arn'],
  bringUp: (id, { ScheduleExpression, State, Targets }, account) => {
    const ref = `${account.stack.name}-${id}`
    const ruleArn = arn(account.stack, 'events', `rule/${ref}`)
    const everyMs = parseRate(ScheduleExpression)
    if (State === 'ENABLED' && account.purpose === 'run') {
      const timer = setInterval(() => {
        for (const { Arn, Input } of Targets) invoke(Arn, Input ?? scheduledEvent(ruleArn, account), account)
      }, everyMs)
      account.schedules.push({ stop: () => clearInterval(timer) })
    }
    return { ref, attributes: { Arn: ruleArn } }
  },
})

/**
 * The milliseconds of an expression such as `rate(5 minutes)`. Throws an Error for any other, also for a cron
 * expression.
 */
export function parseRate(expression: string): number {
  const match = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression)
  const everyMs = match ? Number(match[1]) * UNIT_MS[match[2]!]! : 0
  if (everyMs <= 0) throw new Error(`${expression} is not evaluated here: rate(<n> minutes|hours|days) is`)
  return everyMs
}

/**
 * Invokes the function and does not wait. A failed or refused invocation is in the function's log, and the next tick
 * invokes it again.
 */
function invoke(functionArn: string, input: string, { functions }: LocalAccount): void {
  void functions.invoke(functionArn, Buffer.from(input), { type: 'Event' })
}

function scheduledEvent(ruleArn: string, { stack }: LocalAccount): string {
  return JSON.stringify({
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: stack.account,
    time: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    region: stack.region,
    resources: [ruleArn],
    detail: {},
  })
}
