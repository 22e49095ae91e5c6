import type { Connectors } from '#adapters/connect/connector-listing.ts'
import type { Connection, Inspection } from '#core/console/connectors.ts'
import { postedBody, textIn } from '../posted-body.ts'
import type { Refusal } from '../refusal.ts'
import { RequestProblem } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'

/** What the routes of connectors need. */
export type ConnectorParts = {
  readonly connectors: Pick<Connectors, 'list' | 'read'>
  /**
   * Connects to a database and inspects it. Null where actions are off, because it opens connections from this network to
   * any host. The password is neither kept nor logged.
   */
  readonly inspect: ((connection: Connection) => Promise<Inspection | Refusal>) | null
  readonly parts: Pick<UnreachableParts, 'ask'>
}

type ConnectorRoutes = Pick<RouteHandlers, 'GET /connectors' | 'GET /connectors/:name' | 'POST /connectors/inspect'>

/** Answers for the connectors of Connect, and inspects a database before it gets one. */
export function connectorRoutes({ connectors, inspect, parts }: ConnectorParts): ConnectorRoutes {
  return {
    'GET /connectors': async () => ({ connectors: await parts.ask('connect', () => connectors.list()) }),
    'GET /connectors/:name': async ({ params }) => {
      const name = params['name']!
      const found = await parts.ask('connect', () => connectors.read(name))
      if (found === undefined) throw new RequestProblem(404, `Connect has no connector ${name}`)
      return found
    },
    'POST /connectors/inspect': async (request) => {
      if (inspect === null) {
        throw new RequestProblem(403, 'this console does not execute actions, so it opens no connections to databases')
      }
      const inspection = await inspect(connectionOf(postedBody(request)))
      if ('refused' in inspection) throw new RequestProblem(400, inspection.refused, inspection.hint)
      return inspection
    },
  }
}

/** A name in DNS or an address. A path would be a socket of this machine. */
const HOST = /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})$|^[0-9A-Fa-f:.]{2,45}$/

function connectionOf(body: Readonly<Record<string, unknown>>): Connection {
  const [host, database, user, password] = ['host', 'database', 'user', 'password'].map((name) => {
    const text = textIn(body, name)
    if (text.length > 1_000 || text.includes('\0'))
      throw new RequestProblem(400, `${name} is too long, or has a zero byte`)
    return text
  }) as [string, string, string, string]
  const port = Number(body['port'])
  if (!HOST.test(host)) throw new RequestProblem(400, 'the host is neither a name nor an address')
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RequestProblem(400, 'the port is none')
  if (database === '' || user === '') throw new RequestProblem(400, 'database and user are needed')
  return { host, port, database, user, password }
}
