import { randomUUID } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { comesFromBrowserElsewhere } from '#localstack/browser-request.ts'
import type { InvocationEvent } from '../invocation/invocation.ts'

/** The header in which `native-client.cjs` sends the token. */
const TOKEN_HEADER = 'tidemark-runtime-token'

/** One event for the process. `deadline` is in milliseconds since 1970. */
export type Delivery = InvocationEvent & { functionArn: string; deadline: number }

/** What one function process sends to its Runtime API. */
export type RuntimeEvents = {
  /** It asks for an event, so it has initialized and is done with the last one. */
  onIdle(): void
  onResponse(requestId: string, payload: Buffer): void
  onError(requestId: string, error: Buffer): void
  onInitError(error: Buffer): void
}

/** The Runtime API of one function process, on loopback. */
export type RuntimeApi = {
  /** `host:port` */
  address: string
  /** The process sends it when it asks for an event, because other users of the machine can reach the port, too. */
  token: string
  /** Answers the process's request for an event. It may be called only after `onIdle`. */
  deliver(delivery: Delivery): void
  close(): void
}

/** Starts the Runtime API on a free port. Rejects when none can be opened. */
export async function startRuntimeApi(events: RuntimeEvents): Promise<RuntimeApi> {
  const token = randomUUID()
  let waiting: ServerResponse | undefined

  const server = createServer((request, response) => {
    const [, , , group, id = '', action = ''] = request.url!.split('/')
    if (comesFromBrowserElsewhere(request.headers)) {
      response.writeHead(403).end()
      return
    }
    if (group === 'invocation' && id === 'next') {
      if (request.headers[TOKEN_HEADER] !== token) {
        response.writeHead(403).end()
        return
      }
      waiting = response
      events.onIdle()
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      response.writeHead(202, { 'Content-Length': 0 }).end()
      const body = Buffer.concat(chunks)
      if (group === 'init') events.onInitError(body)
      else if (action === 'error') events.onError(id, body)
      else report(id, body, request.trailers['lambda-runtime-function-error-body'])
    })
  })
  // A handler may send nothing for its whole timeout, and the server must not close that connection as idle.
  Object.assign(server, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })

  /** A streamed response may end in an error, which then comes base64-encoded in a trailer. */
  function report(id: string, body: Buffer, errorTrailer: string | undefined): void {
    if (errorTrailer === undefined) events.onResponse(id, body)
    else events.onError(id, Buffer.from(errorTrailer, 'base64'))
  }

  return {
    token,
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    deliver({ requestId, functionArn, deadline, payload, clientContext }) {
      waiting!.writeHead(200, {
        'Content-Type': 'application/json',
        'Content-Length': payload.length,
        'Lambda-Runtime-Aws-Request-Id': requestId,
        'Lambda-Runtime-Deadline-Ms': deadline,
        'Lambda-Runtime-Invoked-Function-Arn': functionArn,
        ...(clientContext !== undefined && { 'Lambda-Runtime-Client-Context': clientContext }),
      })
      waiting!.end(payload)
      waiting = undefined
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
