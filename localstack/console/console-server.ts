import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { API_ROOT } from '#core/console/routes.ts'
import type { Problem } from '#core/console/values.ts'
import type { ConsoleResponse } from '#lambdas/serve-console/console-request.ts'
import type { ServeConsole } from '#lambdas/serve-console/serve-console.ts'
import { comesFromBrowserElsewhere } from '#localstack/browser-request.ts'
import type { PageFiles } from './page-files.ts'
import { userOfPeer } from './peer-user.ts'
import { readBody } from './request-body.ts'
import { securityHeaders } from './security-headers.ts'
import { makeSnapshotEvents, type SnapshotEvents } from './snapshot-events.ts'

export type ConsoleServerOptions = {
  /** 0 chooses a free port. */
  port: number
  /** Answers the requests of the API. */
  serve: ServeConsole
  /** The built page, or why there is none yet. It is asked at each request. */
  page: () => PageFiles | string
  /** The user under whose name actions are recorded. */
  who: string
  /** The user of the process at the other end of a connection. */
  peer?: typeof userOfPeer
}

/** The console on 127.0.0.1. */
export type ConsoleServer = {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Ends all connections. */
  stop(): Promise<void>
}

type Console = ConsoleServerOptions & { readonly events: SnapshotEvents }

/** Serves the page and its API on loopback. Rejects when the port is taken, and says how to choose another. */
export async function startConsoleServer(options: ConsoleServerOptions): Promise<ConsoleServer> {
  const { serve, who } = options
  const query = new URLSearchParams()
  const events = makeSnapshotEvents({
    ask: (etag) =>
      serve({ method: 'GET', path: '/snapshot', query, headers: { 'if-none-match': etag }, body: null, who }),
  })
  const server = createServer({ maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 30_000 })
  server.maxConnections = 256
  server.on('request', (request, response) => {
    handle(request, response, { ...options, events }).catch((error: Error) => {
      // A page that disconnects while it sends its request cannot be answered.
      if (response.headersSent || response.destroyed) response.destroy()
      else send(response, problem(500, error.message))
    })
  })
  await listen(server, options.port)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      events.stop()
      server.close()
      server.closeAllConnections()
    },
  }
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve)
    })
  } catch (cause) {
    const isTaken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
    const why = isTaken ? 'it is in use by another program' : (cause as Error).message
    throw new Error(
      `the console cannot listen on port ${port}: ${why}. Choose another port with --port or TIDEMARK_CONSOLE_PORT.`,
      { cause },
    )
  }
}

async function handle(request: IncomingMessage, response: ServerResponse, console: Console): Promise<void> {
  const refusal = await refusalOf(request, console.peer ?? userOfPeer)
  if (refusal !== undefined) return send(response, problem(403, refusal))
  const url = URL.parse(request.url ?? '', 'http://127.0.0.1')
  if (url === null) return send(response, problem(400, 'the path is not that of a URL'))
  if (url.pathname.startsWith(`${API_ROOT}/`)) return answerApi(request, response, url, console)
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return send(response, problem(405, `the page cannot be asked by ${request.method}`))
  sendPage(request, response, url.pathname, console.page())
}

/**
 * Why a request is not answered: web pages of other servers, and other users of this machine, see nothing. Browsers say
 * in `Sec-Fetch-Site` where a request comes from, also when they send no Origin.
 */
async function refusalOf(request: IncomingMessage, peer: typeof userOfPeer): Promise<string | undefined> {
  const { headers, url = '' } = request
  const site = headers['sec-fetch-site']
  const isOfPage = site === undefined || site === 'same-origin' || site === 'none'
  if (comesFromBrowserElsewhere(headers) || (url.startsWith(API_ROOT) && !isOfPage))
    return 'only the page of this console, and programs on this machine, are answered'
  const user = await peer(request.socket)
  const own = process.getuid?.()
  return user === undefined || user === own || user === 0
    ? undefined
    : 'this console answers only the user who has started it'
}

async function answerApi(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  { serve, events, who }: Console,
): Promise<void> {
  const path = url.pathname.slice(API_ROOT.length)
  const { method = 'GET', headers } = request
  if (method === 'GET' && path === '/events') {
    setSecurity(response)
    if (events.attach(response, headers['last-event-id'] as string | undefined)) return
    return send(response, problem(503, 'too many pages are open: close some of them'))
  }
  const body = method === 'GET' || method === 'HEAD' ? null : await readBody(request)
  if (typeof body === 'object' && body !== null) {
    // What is left of the body is not read, so the connection cannot be used again.
    response.setHeader('connection', 'close')
    return send(response, problem(body.status, body.message))
  }
  const known = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value?.toString()]))
  send(response, await serve({ method, path, query: url.searchParams, headers: known, body, who }))
}

function sendPage(request: IncomingMessage, response: ServerResponse, path: string, page: PageFiles | string): void {
  send(response, answerOfPage(request, path, page))
}

type Answer = { status: number; headers: Readonly<Record<string, string>>; body: string | Buffer }

function answerOfPage(request: IncomingMessage, path: string, page: PageFiles | string): Answer {
  if (typeof page === 'string') {
    const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', refresh: '2' }
    return { status: 503, headers, body: page }
  }
  const file = page.at(path)
  if (file === undefined) return problem(404, `the page has no file ${path}`)
  const isKnown = request.headers['if-none-match'] === file.headers['etag']
  const body = isKnown || request.method === 'HEAD' ? '' : file.body
  return { status: isKnown ? 304 : 200, headers: file.headers, body }
}

const problem = (status: number, message: string): ConsoleResponse => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
  body: JSON.stringify({ error: { message, hint: null } } satisfies Problem),
})

function setSecurity(response: ServerResponse): void {
  for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value)
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  setSecurity(response)
  response.writeHead(status, headers)
  response.end(body)
}
