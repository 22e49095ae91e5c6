import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { API_ROOT, type Bodies, type Routes, TOKEN_HEADER } from '#core/console/routes.ts'
import type { EngineEndpoints } from '#localstack/engine.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'

/** A stack that npm start runs, with its console. */
export type RunningConsole = {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly endpoints: EngineEndpoints
  /** The directory of the stack's data and logs. */
  readonly directory: string
  /** The administrators' pools. */
  readonly source: pg.Pool
  readonly target: pg.Pool
  /** Kills the process of the console, which npm start then starts again. */
  killConsole(): Promise<void>
  stop(): Promise<void>
}

const names = ['POSTGRES', 'KAFKA', 'CONNECT', 'OBJECT_STORE', 'CATALOG', 'ENDPOINT', 'LOCALSTACK', 'CONSOLE']

/** Starts the stack on free ports, in a directory of its own, and waits until the console answers. */
export async function startWithConsole(...args: string[]): Promise<RunningConsole> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-console-'))
  const ports = await freePortPairs(names.length)
  const variables = names.map((name, index) => [`TIDEMARK_${name}_PORT`, String(ports[index])])
  const program = join(import.meta.dirname, '../../commands/run.mjs')
  const child = spawn(process.execPath, [program, 'start', '--json', ...args], {
    env: { ...process.env, ...Object.fromEntries(variables), TIDEMARK_DIRECTORY: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const errors = text(child.stderr!)
  const url = await consoleUrl(child, errors)
  const { endpoints } = JSON.parse(await readFile(join(directory, 'engine.json'), 'utf8')) as {
    endpoints: EngineEndpoints
  }
  const [source, target] = [makePool(endpoints.source), makePool(endpoints.target)]
  return {
    ...{ url, endpoints, directory, source, target },
    async killConsole() {
      const port = new URL(url).port
      const lines = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n')
      const line = lines.find((each) => each.includes('console-program.ts') && each.includes(` ${port}`))
      if (line === undefined) throw new Error('the console has no process')
      process.kill(Number(line.trim().split(' ')[0]), 'SIGKILL')
    },
    async stop() {
      await Promise.all([source.end(), target.end()])
      child.kill('SIGINT')
      if (child.exitCode === null) await once(child, 'exit')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function makePool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 3, application_name: 'test' })
  // A test stops the server of this pool.
  pool.on('error', () => undefined)
  return pool
}

async function consoleUrl(child: ChildProcess, errors: Promise<string>): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const { console } = JSON.parse(line)
    if (console === undefined) continue
    // Later output has to be read, because a full pipe would block the stack.
    child.stdout!.resume()
    if (console.problem !== null) throw new Error(`the console does not run: ${console.problem}`)
    return console.url
  }
  throw new Error(`the stack ended before its console answered: ${await errors}`)
}

/** An answer of the console's API. `body` is that of the route, or a Problem. */
export type Answer<T> = { readonly status: number; readonly headers: Headers; readonly body: T }

type Parameters = { readonly params?: Record<string, string>; readonly query?: Record<string, string> }

/** The API as a page uses it. */
export type ConsoleClient = {
  get<R extends keyof Routes & `GET ${string}`>(route: R, asked?: Parameters): Promise<Answer<Routes[R]>>
  post<R extends keyof Bodies>(route: R, body: Bodies[R], asked?: Parameters): Promise<Answer<Routes[R]>>
}

/** A client with the token of a session, or with another one. */
export async function openClient(url: string, token?: string): Promise<ConsoleClient> {
  const known = token ?? ((await (await fetch(`${url}${API_ROOT}/session`)).json()) as Routes['GET /session']).token
  const ask = async (route: string, { params = {}, query = {} }: Parameters, init: RequestInit = {}) => {
    const [method, path] = route.split(' ') as [string, string]
    const asked = new URL(API_ROOT + path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(params[name] ?? '')), url)
    asked.search = new URLSearchParams(query).toString()
    const response = await fetch(asked, { ...init, method, signal: AbortSignal.timeout(60_000) })
    const body = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
    return { status: response.status, headers: response.headers, body: isJson && body !== '' ? JSON.parse(body) : body }
  }
  return {
    get: (route, asked = {}) => ask(route, asked),
    post: (route, body, asked = {}) =>
      ask(route, asked, {
        headers: { 'content-type': 'application/json', [TOKEN_HEADER]: known },
        body: JSON.stringify(body),
      }),
  }
}
