import { timingSafeEqual } from 'node:crypto'
import { headerOf, type Service } from '#localstack/endpoint/exchange.ts'

/** The paths of all requests from our extension within LocalStack begin with this. */
const PREFIX = '/_tidemark/localstack/'

/**
 * Lets only our extension use the service, because the answers contain passwords and the requests run functions. The
 * extension sends the token that this process gave to LocalStack as a variable.
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
