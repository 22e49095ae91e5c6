import { makeRequestSigner, type RequestSigner } from '#adapters/iceberg/catalog/sign-requests.ts'
import { API_ROOT, TOKEN_HEADER } from '#core/console/routes.ts'
import type { Problem } from '#core/console/values.ts'
import type { ConsoleResponse } from '#lambdas/serve-console/console-request.ts'
import { messageOf } from '#lambdas/serve-console/request-problem.ts'
import type { ServeConsole } from '#lambdas/serve-console/serve-console.ts'

/** What a page sends, besides its path and body, that the console on AWS needs. */
const PASSED_ON = ['content-type', 'if-none-match', TOKEN_HEADER]

/**
 * Passes the requests of the page on to a console on AWS, signed with the credentials of this machine: those of the
 * environment, of AWS's configuration files, or of the machine's role.
 */
export function makeSignedConsole(apiUrl: string, sign: RequestSigner = signerOf(apiUrl)): ServeConsole {
  return async ({ method, path, query, headers, body }) => {
    const url = new URL(API_ROOT + path, apiUrl)
    url.search = query.toString()
    const sent = Object.fromEntries(
      PASSED_ON.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]] as const])),
    )
    try {
      const signed = await sign({ method, url, headers: sent, body: body ?? undefined })
      const answer = await fetch(url, { method, headers: signed, body, signal: AbortSignal.timeout(30_000) })
      const text = await answer.text()
      if (answer.status === 403 && !isProblem(text)) return refused(apiUrl)
      return { status: answer.status, headers: keptHeaders(answer.headers), body: text }
    } catch (error) {
      return problem(503, `the console at ${apiUrl} does not answer: ${messageOf(error)}`, null)
    }
  }
}

/** API Gateway's own refusals have another form than the console's. */
const isProblem = (text: string): boolean => text.startsWith('{"error"')

const refused = (apiUrl: string): ConsoleResponse =>
  problem(
    403,
    `the console at ${apiUrl} does not let the credentials of this machine in`,
    'They need the right execute-api:Invoke for this API: aws sts get-caller-identity shows whose they are.',
  )

const problem = (status: number, message: string, hint: string | null): ConsoleResponse => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: JSON.stringify({ error: { message, hint } } satisfies Problem),
})

function keptHeaders(headers: Headers): Record<string, string> {
  const names = ['content-type', 'etag', 'cache-control', 'content-disposition']
  return Object.fromEntries(names.flatMap((name) => (headers.has(name) ? [[name, headers.get(name)!] as const] : [])))
}

/** The API's host has its region: `<id>.execute-api.<region>.amazonaws.com`. */
function signerOf(apiUrl: string): RequestSigner {
  const region = /\.execute-api\.([a-z0-9-]+)\./.exec(new URL(apiUrl).hostname)?.[1] ?? process.env['AWS_REGION']
  return makeRequestSigner({ service: 'execute-api', region: region ?? 'us-east-1' })
}
