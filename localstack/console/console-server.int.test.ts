import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { ConsoleRequest, ConsoleResponse } from '#lambdas/serve-console/console-request.ts'
import { until } from '#test-support/eventually.ts'
import { type ConsoleServer, type ConsoleServerOptions, startConsoleServer } from './console-server.ts'
import { type PageFiles, readPageFiles } from './page-files.ts'

let directory: string
let page: PageFiles
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'console-page-'))
  await mkdir(join(directory, 'assets'))
  await writeFile(join(directory, 'index.html'), '<!doctype html><title>Tidemark</title>')
  await writeFile(join(directory, 'assets', 'page-4f3a.js'), 'export {}')
  page = await readPageFiles(directory)
})
afterAll(() => rm(directory, { recursive: true }))

let servers: ConsoleServer[] = []
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()))
  servers = []
})

const ok = (content: unknown): ConsoleResponse => ({
  status: 200,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: JSON.stringify(content),
})

/** A console whose API answers with what it was asked. */
async function serve(options: Partial<ConsoleServerOptions> = {}): Promise<string> {
  const server = await startConsoleServer({
    port: 0,
    serve: async ({ headers: _, query, ...asked }) => ok({ ...asked, query: query.toString() }),
    page: () => page,
    who: 'ada',
    ...options,
  })
  servers.push(server)
  return server.url
}

type Asked = { method?: string; headers?: IncomingHttpHeaders; body?: string }

/** Sends a request with any headers, also those that fetch does not let be set. */
function ask(url: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, resolve)
    request.on('error', reject)
    request.end(body)
  })
}

const statusOf = async (url: string, asked?: Asked): Promise<number | undefined> => {
  const response = await ask(url, asked)
  response.resume()
  return response.statusCode
}

test('a path that names no file is a screen of the page, and hashed files are kept by the browser for ever', async () => {
  const url = await serve()

  const [screen, asset, absent] = await Promise.all([
    ask(`${url}/tables/public.orders`),
    ask(`${url}/assets/page-4f3a.js`),
    ask(`${url}/assets/page-0000.js`),
  ])

  expect(await text(screen)).toContain('<title>Tidemark</title>')
  expect(screen.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' })
  expect(await text(asset)).toBe('export {}')
  expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  expect(absent.statusCode).toBe(404)
  expect(await statusOf(`${url}/`, { headers: { 'if-none-match': screen.headers['etag'] } })).toBe(304)
  expect(await statusOf(`${url}/../../../etc/passwd`)).toBe(200)
})

test('every answer forbids what the page does not need', async () => {
  const url = await serve()

  const answers = await Promise.all([
    ask(url),
    ask(`${url}/api/v1/session`),
    ask(`${url}/assets/x.js`),
    ask(url, { headers: { host: 'evil.example' } }),
  ])

  for (const { headers } of answers) {
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
    })
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers['access-control-allow-origin']).toBeUndefined()
  }
})

test('requests that a page of another server can cause are refused, also those that only read', async () => {
  const url = await serve()
  const { host } = new URL(url)
  const paths = ['/', '/api/v1/session', '/api/v1/events']

  for (const path of paths) {
    expect(await statusOf(url + path, { headers: { host: 'evil.example' } })).toBe(403)
    expect(await statusOf(url + path, { headers: { origin: 'https://evil.example' } })).toBe(403)
    expect(await statusOf(url + path, { headers: { origin: 'http://127.0.0.1:1' } })).toBe(403)
    expect(await statusOf(url + path, { headers: { origin: 'null' } })).toBe(403)
  }
  for (const site of ['cross-site', 'same-site']) {
    expect(await statusOf(`${url}/api/v1/session`, { headers: { 'sec-fetch-site': site } })).toBe(403)
    // A link on another page may open the console.
    expect(await statusOf(`${url}/tables`, { headers: { 'sec-fetch-site': site } })).toBe(200)
  }
  expect(await statusOf(`${url}/api/v1/session`, { headers: { origin: `http://${host}` } })).toBe(200)
})

test('another user of the machine is refused, where the kernel says whose a connection is', async () => {
  const own = process.getuid!()
  const url = await serve({ peer: async () => own + 1 })

  expect(await statusOf(url)).toBe(403)
  expect(await statusOf(await serve({ peer: async () => own }))).toBe(200)
  expect(await statusOf(await serve())).toBe(200)
})

test('the API gets path, query, body and the user, and takes JSON only', async () => {
  const url = `${await serve()}/api/v1`
  const json = { 'content-type': 'application/json' }

  const read = await ask(`${url}/tables/a%2Fb?limit=3&search=%C3%A4`)
  const posted = await ask(`${url}/equality`, { method: 'POST', headers: json, body: '{"tables":null}' })

  expect(JSON.parse(await text(read))).toEqual({
    ...{ method: 'GET', path: '/tables/a%2Fb', query: 'limit=3&search=%C3%A4', body: null, who: 'ada' },
  })
  expect(JSON.parse(await text(posted))).toMatchObject({ method: 'POST', body: '{"tables":null}' })
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    const asked = { method: 'POST', headers: { 'content-type': type }, body: '{}' }
    expect(await statusOf(`${url}/equality`, asked)).toBe(415)
  }
  expect(await statusOf(`${url}/equality`, { method: 'POST', body: '{}' })).toBe(415)
  expect(await statusOf(url.replace('/api/v1', '/'), { method: 'POST', headers: json, body: '{}' })).toBe(405)
})

test('a body of more than a megabyte and headers of more than 16 KiB are refused, with an answer', async () => {
  const url = `${await serve()}/api/v1/equality`
  const headers = { 'content-type': 'application/json' }

  const large = await ask(url, { method: 'POST', headers, body: 'x'.repeat((1 << 20) + 1) })

  expect(large.statusCode).toBe(413)
  expect(JSON.parse(await text(large)).error.message).toContain('one megabyte')
  expect(await statusOf(url, { headers: { 'x-long': 'x'.repeat(20_000) } })).toBe(431)
})

test('before the page is built the API answers, and the page says what is missing', async () => {
  const url = await serve({ page: () => 'The page is being built.' })

  const shown = await ask(url)

  expect([shown.statusCode, await text(shown)]).toEqual([503, 'The page is being built.'])
  expect(await statusOf(`${url}/api/v1/session`)).toBe(200)
})

test('a port that is taken is named with the setting that chooses another', async () => {
  const { port } = new URL(await serve())

  await expect(serve({ port: Number(port) })).rejects.toThrow(
    `the console cannot listen on port ${port}: it is in use by another program. Choose another port with --port or TIDEMARK_CONSOLE_PORT.`,
  )
})

/** A console whose snapshot the test sets. It counts how often the snapshot is asked for. */
async function serveSnapshots() {
  const snapshot = { text: 'one', asked: 0 }
  const answer = async ({ headers }: ConsoleRequest): Promise<ConsoleResponse> => {
    snapshot.asked++
    const etag = `"${snapshot.text}"`
    if (headers['if-none-match'] === etag) return { status: 304, headers: { etag }, body: '' }
    return { status: 200, headers: { etag }, body: JSON.stringify(snapshot.text) }
  }
  return { url: `${await serve({ serve: answer })}/api/v1/events`, snapshot }
}

async function listen(url: string, headers: IncomingHttpHeaders = {}) {
  const response = await ask(url, { headers })
  const received = { text: '', isOver: false, response }
  response.setEncoding('utf8').on('data', (part) => (received.text += part))
  response.on('close', () => (received.isOver = true))
  response.on('error', () => undefined)
  return received
}

test('pages get the snapshot when it has changed, from one poll for all of them', async () => {
  const { url, snapshot } = await serveSnapshots()

  const pages = await Promise.all([listen(url), listen(url), listen(url)])
  await until('the first snapshot', async () => pages.every((each) => each.text.includes('data: "one"')))
  snapshot.text = 'two'
  await until('the second snapshot', async () => pages.every((each) => each.text.includes('data: "two"')))

  for (const each of pages) {
    expect(each.response.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(each.text).toContain('event: snapshot\nid: "one"\ndata: "one"\n\n')
    expect(each.text.match(/data: "one"/g)).toHaveLength(1)
  }
  expect(snapshot.asked).toBeLessThan(6)
  for (const { response } of pages) response.destroy()
})

test('a page that connects again gets only what it does not have', async () => {
  const { url, snapshot } = await serveSnapshots()

  const known = await listen(url, { 'last-event-id': '"one"' })
  await until('two polls', async () => snapshot.asked >= 2)
  const before = known.text
  snapshot.text = 'two'
  await until('the new snapshot', async () => known.text.includes('data: "two"'))

  expect(before).not.toContain('data:')
  known.response.destroy()
})

test('nothing is asked while no page listens, and stopping ends the pages that do', async () => {
  const { url, snapshot } = await serveSnapshots()
  const first = await listen(url)
  await until('the first snapshot', async () => first.text.includes('data:'))
  first.response.destroy()
  const second = await listen(url)
  await until('a snapshot for the second page', async () => second.text.includes('data:'))

  await servers[0]!.stop()

  await until('the end of the second page', async () => second.isOver)
  const { asked } = snapshot
  expect(asked).toBeLessThan(6)
})
