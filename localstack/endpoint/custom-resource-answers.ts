import { setTimeout as delay } from 'node:timers/promises'
import type { Service } from './exchange.ts'

/** The answer of a custom resource's function to CloudFormation. */
export type CustomResourceAnswer = {
  status: 'SUCCESS' | 'FAILED'
  /** Why it failed. */
  reason?: string
  physicalResourceId: string
  /** Attributes for Fn::GetAtt. */
  data: Record<string, unknown>
}

const path = /^\/cloudformation\/response\/([\w-]+)$/

/** CloudFormation refuses a longer answer. */
const answerLimitBytes = 4096

/** The ResponseURLs of custom resources. Functions PUT their answers there, and `await` returns them. */
export function makeCustomResourceAnswers(): {
  service: Service
  /** Resolves with the answer, also when it came before the call. Rejects after `timeoutMs`. */
  await(token: string, timeoutMs: number): Promise<CustomResourceAnswer>
} {
  const answers = new Map<string, PromiseWithResolvers<CustomResourceAnswer>>()

  function slot(token: string): PromiseWithResolvers<CustomResourceAnswer> {
    const known = answers.get(token)
    if (known !== undefined) return known
    const made = Promise.withResolvers<CustomResourceAnswer>()
    answers.set(token, made)
    return made
  }

  return {
    service(request) {
      const token = path.exec(request.path)?.[1]
      if (request.method !== 'PUT' || token === undefined) return undefined
      slot(token).resolve(readAnswer(request.body))
      return { status: 200 }
    },
    async await(token, timeoutMs) {
      const timer = new AbortController()
      const timeout = delay(timeoutMs, undefined, { signal: timer.signal }).then(() => {
        throw new Error(`the custom resource did not answer within ${Math.round(timeoutMs / 1000)} s`)
      })
      try {
        return await Promise.race([slot(token).promise, timeout])
      } finally {
        timer.abort()
        timeout.catch(() => undefined)
        answers.delete(token)
      }
    },
  }
}

function readAnswer(body: Buffer): CustomResourceAnswer {
  if (body.length > answerLimitBytes) return failed('Response object is too long.')
  let json: Record<string, unknown>
  try {
    json = JSON.parse(body.toString())
  } catch (error) {
    return failed(`Invalid Response object: ${(error as SyntaxError).message}`)
  }
  const { Status: status, PhysicalResourceId: physicalResourceId, Reason: reason, Data: data } = json
  if (status !== 'SUCCESS' && status !== 'FAILED')
    return failed('Invalid Response object: Status is not SUCCESS or FAILED')
  if (typeof physicalResourceId !== 'string') return failed('Invalid PhysicalResourceId')
  return {
    status,
    physicalResourceId,
    data: (data ?? {}) as Record<string, unknown>,
    ...(typeof reason === 'string' && { reason }),
  }
}

function failed(reason: string): CustomResourceAnswer {
  return { status: 'FAILED', reason, physicalResourceId: '', data: {} }
}
