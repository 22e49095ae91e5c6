import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join, normalize } from 'node:path'
import { API_ROOT } from '#core/console/routes.ts'
import { answerOf, StandIn } from './stand-in-answers.ts'
import type { Scene } from './stand-in-status.ts'

/** The policy under which the page has to work. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

/** A console's server that answers with generated data. */
export type StandInServer = { readonly url: string; readonly standIn: StandIn; close(): Promise<void> }

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
}

/** Serves the built page of a folder and the API on loopback. Paths that are no file have the page. */
export async function startStandInServer(pageDir: string, scene: Scene, port = 0): Promise<StandInServer> {
  const standIn = new StandIn(scene)
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://console')
    if (url.pathname === `${API_ROOT}/events`) return sendEvents(standIn, response)
    if (url.pathname.startsWith(API_ROOT)) return void sendAnswer(standIn, request, url, response)
    void sendFile(pageDir, url.pathname, response)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const address = server.address()
  const used = typeof address === 'object' && address !== null ? address.port : port
  return {
    ...{ url: `http://127.0.0.1:${used}`, standIn },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function sendEvents(standIn: StandIn, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const send = () =>
    response.write(`event: snapshot\nid: ${Date.now()}\ndata: ${JSON.stringify(standIn.snapshot())}\n\n`)
  send()
  const timer = setInterval(send, 1_000)
  response.on('close', () => clearInterval(timer))
}

async function sendAnswer(
  standIn: StandIn,
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const body = chunks.length === 0 ? null : JSON.parse(Buffer.concat(chunks).toString())
  const path = url.pathname.slice(API_ROOT.length)
  const { status, content } = answerOf(standIn, `${request.method} ${path}`, url.searchParams, body)
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(content))
}

async function sendFile(pageDir: string, pathname: string, response: ServerResponse): Promise<void> {
  const file = join(pageDir, normalize(decodeURIComponent(pathname)))
  const found = pathname === '/' ? null : await readFile(file).catch(() => null)
  const body = found ?? (await readFile(join(pageDir, 'index.html')))
  const type = types[found === null ? 'html' : (file.split('.').at(-1) ?? '')] ?? 'application/octet-stream'
  response.writeHead(200, { 'content-type': type, 'content-security-policy': CONTENT_SECURITY_POLICY })
  response.end(body)
}
