import * as v from 'valibot'
import type { Request, Response, Service } from '#localstack/endpoint/exchange.ts'
import { nodeRuntimes } from '#localstack/lambda-host/bundle/function-definition.ts'
import type { FunctionVersions } from './function-versions.ts'

const versionPath = '/_tidemark/localstack/functions'
const invocationPath = /^\/_tidemark\/localstack\/invocations\/([\w-]+)\/([\w-]+)$/

const question = v.object({
  version: v.string(),
  /** Absent: the version is to be removed. */
  definition: v.optional(
    v.object({
      name: v.string(),
      arn: v.string(),
      handler: v.string(),
      runtime: v.picklist(nodeRuntimes, (issue) => `${issue.received} is not a runtime that is run here`),
      codeDirectory: v.string(),
      environment: v.record(v.string(), v.string()),
      timeoutSeconds: v.number(),
      memoryMb: v.number(),
    }),
  ),
})

/** Serves the executor within LocalStack: it adds versions of functions, and runs them. */
export function makeFunctionService(versions: FunctionVersions): Service {
  return async (request) => {
    if (request.method !== 'POST') return undefined
    if (request.path === versionPath) return keep(request, versions)
    const [, version, requestId] = invocationPath.exec(request.path) ?? []
    if (version === undefined || requestId === undefined) return undefined
    const { payload, functionError, logTail } = await versions.invoke(version, { requestId, payload: request.body })
    return {
      status: 200,
      headers: {
        'X-Amz-Log-Result': Buffer.from(logTail).toString('base64'),
        ...(functionError && { 'X-Amz-Function-Error': functionError }),
      },
      body: payload,
    }
  }
}

async function keep({ body }: Request, versions: FunctionVersions): Promise<Response> {
  const parsed = v.safeParse(question, JSON.parse(body.toString()))
  if (!parsed.success) return { status: 400, body: { message: parsed.issues[0].message } }
  const { version, definition } = parsed.output
  await (definition === undefined ? versions.remove(version) : versions.add(version, definition))
  return { status: 200, body: {} }
}
