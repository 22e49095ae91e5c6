import { type IncomingHttpHeaders, request } from 'node:http'
import pg from 'pg'
import { brokerNodes } from '#localstack/servers/kafka/broker-nodes.ts'
import type { Settings } from '#localstack/settings.ts'
import type { OpenPort } from './open-ports.ts'

/** The kinds of listeners on the ports of a stack. */
export type PortKind =
  | ('postgres' | 'kafka' | 'connect' | 'object store' | 'catalog' | 'endpoint' | 'runtime API' | 'LocalStack')
  | 'unknown'

/**
 * The kind of a port that this process or a child of it opened; `unknown` when the tests have no rule for its callers.
 */
export function kindOf({ port, pid }: OpenPort, settings: Settings): PortKind {
  const { postgresPort, connectPort, objectStorePort, catalogPort, endpointPort, localStackPort } = settings
  if (port === postgresPort || port === postgresPort + 1) return 'postgres'
  if (brokerNodes(settings).some((node) => port === node.port || port === node.controllerPort)) return 'kafka'
  const ports = new Map<number, PortKind>([
    [connectPort, 'connect'],
    [objectStorePort, 'object store'],
    [catalogPort, 'catalog'],
    [endpointPort, 'endpoint'],
    [localStackPort, 'LocalStack'],
  ])
  // The ports of function processes are random, and this process listens on them.
  return ports.get(port) ?? (pid === process.pid ? 'runtime API' : 'unknown')
}

type Probe = { method?: string; path: string; headers?: IncomingHttpHeaders; body?: string }

const page = { origin: 'https://evil.example', 'content-type': 'text/plain' }
const json = { 'content-type': 'application/json' }
const rebound = { host: 'evil.example' }
const secretsTarget = { 'x-amz-target': 'secretsmanager.GetSecretValue' }
const secret = '{"SecretId":"tidemark-local-connect"}'
const forged = 'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host'

/** Requests that must be refused, with the status of the refusal; `closed` when the port does not use HTTP. */
const probes: Record<Exclude<PortKind, 'postgres' | 'unknown'>, [Probe, number | 'closed'][]> = {
  kafka: [[{ path: '/', headers: page }, 'closed']],
  connect: [
    [{ path: '/connectors' }, 401],
    [{ path: '/connectors/tidemark/config', headers: rebound }, 401],
    [{ method: 'PUT', path: '/connectors/tidemark/pause', headers: { ...page, ...json } }, 401],
    [{ method: 'POST', path: '/connectors', headers: { ...page, ...json }, body: '{}' }, 401],
    // Connect's workers log in to each other by a signature of their group instead.
    [
      {
        method: 'POST',
        path: '/connectors/tidemark/tasks',
        headers: json,
        body: '[]',
      },
      400,
    ],
  ],
  'object store': [
    [{ path: '/' }, 403],
    [{ path: '/', headers: rebound }, 403],
    [{ method: 'PUT', path: '/local--table-s3/theirs', headers: page, body: 'theirs' }, 403],
  ],
  catalog: [
    [{ path: '/iceberg/v1/config' }, 401],
    [{ path: '/iceberg/v1/namespaces', headers: rebound }, 401],
    [{ method: 'POST', path: '/iceberg/v1/tables/rename', headers: page, body: '{}' }, 401],
  ],
  endpoint: [
    [{ path: '/_tidemark/status', headers: rebound }, 403],
    [{ path: '/2015-03-31/functions', headers: page }, 403],
    [{ method: 'POST', path: '/', headers: secretsTarget, body: secret }, 400],
    [{ method: 'POST', path: '/', headers: { ...secretsTarget, authorization: forged }, body: secret }, 400],
  ],
  'runtime API': [
    [{ path: '/2018-06-01/runtime/invocation/next' }, 403],
    [{ path: '/2018-06-01/runtime/invocation/next', headers: rebound }, 403],
    [{ method: 'POST', path: '/2018-06-01/runtime/init/error', headers: page, body: '{}' }, 403],
  ],
  LocalStack: [],
}

/**
 * Sends requests that a web page, or another user of the machine, could send. Returns those that were not refused; none
 * if all is well.
 */
export async function trespass(port: number, kind: Exclude<PortKind, 'unknown'>): Promise<string[]> {
  if (kind === 'postgres') return (await refusesPassword(port)) ? [] : [`port ${port} took a wrong password`]
  const outcomes = await Promise.all(
    probes[kind].map(async ([probe, expected]) => ({ probe, expected, answer: await ask(port, probe) })),
  )
  return outcomes.flatMap(({ probe, expected, answer }) =>
    answer === expected ? [] : [`${kind}, ${JSON.stringify(probe)}: ${answer} instead of ${expected}`],
  )
}

function ask(port: number, { method = 'GET', path, headers = {}, body }: Probe): Promise<number | 'closed'> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(10_000)
    request({ host: '127.0.0.1', port, method, path, headers, signal }, (response) => {
      resolve(response.resume().statusCode!)
    })
      .on('error', () => resolve('closed'))
      .end(body)
  })
}

async function refusesPassword(port: number): Promise<boolean> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password: 'guessed', database: 'postgres' })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return false
  } catch (error) {
    return (error as { code?: string }).code === '28P01'
  } finally {
    await client.end().catch(() => undefined)
  }
}
