import { timingSafeEqual } from 'node:crypto'
import { headerOf, type Service } from '#localstack/endpoint/exchange.ts'

/** What our extension within LocalStack asks begins so. */
const PREFIX = '/_tidemark/localstack/'

/**
 * The service, for our extension alone: the answers hold passwords, and what is asked has functions run. It shows the token
 * that this process gave to LocalStack as a variable.
 */
export const forExtension =
  (token: string, service: Service): Service =>
  (request) => {
    if (!request.path.startsWith(PREFIX)) return undefined
    const shown = Buffer.from(headerOf(request, 'tidemark-engine-token') ?? '')
    const expected = Buffer.from(token)
    if (shown.length === expected.length && timingSafeEqual(shown, expected)) return service(request)
    return { status: 403, body: { message: 'only the LocalStack that this stack has started is served' } }
  }
