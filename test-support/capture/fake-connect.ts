import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { StoredOffset } from '#adapters/connect/connect-api.ts'
import type { RunState } from '#core/recovery/capture-facts.ts'
import type { ConnectorStatus } from '#core/status/health.ts'

/** A stand-in for a Connect worker with its REST API, on loopback, with one connector and no Kafka. */
export type FakeConnect = {
  url: string
  /**
   * Requests that change something, such as `PUT /connectors/tidemark/config`. Requests for status and configuration
   * are left out.
   */
  changes: string[]
  /** The stored configuration, and whether offsets are stored; undefined before the connector exists. */
  configuration: Record<string, string> | undefined
  offsets: boolean
  /** The offsets of Debezium that it reports as stored, by `topic.prefix`. */
  stored: StoredOffset[]
  /** The next states of a starting connector, one for each request. The last one stays. */
  starting: ConnectorStatus[]
  /** Errors with which the next changes are answered instead of being made. */
  refusals: { status: number; message: string }[]
  /** Whether it listens and has no REST API yet, as a worker at its start. */
  hasNoApiYet: boolean
  stop(): Promise<void>
}

export const running: ConnectorStatus = state('RUNNING', 'RUNNING')

/** The status of a connector, and of its task if it has one. */
export function state(connector: RunState, task?: RunState, trace?: string): ConnectorStatus {
  return {
    connector: { state: connector },
    tasks: task === undefined ? [] : [{ id: 0, state: task, ...(trace === undefined ? {} : { trace }) }],
  }
}

/** Starts it. A connector without a list of states is running at once. */
export async function startFakeConnect(): Promise<FakeConnect> {
  const server = createServer(async (request, response) => {
    const { status, body } = answer(fake, request, (await request.toArray()).join(''))
    response.writeHead(status, { 'content-type': 'application/json' }).end(body && JSON.stringify(body))
  })
  await new Promise<void>((resume) => server.listen(0, '127.0.0.1', resume))
  const fake: FakeConnect & { stopping: ConnectorStatus[]; stopped: boolean } = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    changes: [],
    configuration: undefined,
    offsets: false,
    stored: [],
    starting: [running],
    refusals: [],
    hasNoApiYet: false,
    stopping: [],
    stopped: false,
    stop: () =>
      new Promise((resume) => {
        server.close(() => resume())
        server.closeAllConnections()
      }),
  }
  return fake
}

type State = FakeConnect & { stopping: ConnectorStatus[]; stopped: boolean }

function answer(fake: State, request: IncomingMessage, body: string): { status: number; body?: unknown } {
  const change = `${request.method} ${request.url}`
  if (fake.hasNoApiYet) return { status: 404, body: { message: 'Not Found', url: request.url, status: '404' } }
  if (request.method !== 'GET') {
    fake.changes.push(change)
    const refusal = fake.refusals.shift()
    if (refusal) return { status: refusal.status, body: { error_code: refusal.status, message: refusal.message } }
  }
  if (change === 'PUT /connectors/tidemark/config') {
    fake.configuration = JSON.parse(body)
    return { status: 201, body: {} }
  }
  if (fake.configuration === undefined) return { status: 404, body: { error_code: 404, message: 'not found' } }
  return obey(fake, change)
}

function obey(fake: State, change: string): { status: number; body?: unknown } {
  switch (change) {
    case 'GET /connectors/tidemark/config':
      return { status: 200, body: { ...fake.configuration, name: 'tidemark' } }
    case 'GET /connectors/tidemark/status':
      return { status: 200, body: fake.stopped ? next(fake.stopping) : next(fake.starting) }
    case 'GET /connectors/tidemark/offsets':
      return { status: 200, body: { offsets: fake.stored } }
    case 'POST /connectors/tidemark/restart?includeTasks=true&onlyFailed=true':
    case 'POST /connectors/tidemark/restart?includeTasks=true&onlyFailed=false':
      return { status: 202, body: {} }
    case 'PUT /connectors/tidemark/stop':
      fake.stopped = true
      // The task ends some time after the response.
      fake.stopping = [state('RUNNING', 'RUNNING'), state('STOPPED', 'RUNNING'), state('STOPPED')]
      return { status: 204 }
    case 'PUT /connectors/tidemark/resume':
      fake.stopped = false
      fake.offsets = true
      return { status: 202 }
    case 'DELETE /connectors/tidemark/offsets':
      if (fake.stopping.length > 1) return { status: 400, body: { error_code: 400, message: 'not stopped' } }
      fake.offsets = false
      return { status: 200, body: {} }
    case 'DELETE /connectors/tidemark':
      fake.configuration = undefined
      return { status: 204 }
    default:
      return { status: 405, body: { error_code: 405, message: `no ${change}` } }
  }
}

const next = (states: ConnectorStatus[]): ConnectorStatus => (states.length > 1 ? states.shift()! : states[0]!)
