import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ShownChange } from '#core/console/changes.ts'
import { API_ROOT, TOKEN_HEADER } from '#core/console/routes.ts'
import {
  type ConsoleClient,
  openClient,
  type RunningConsole,
  startWithConsole,
} from '#test-support/console/running-console.ts'
import { until } from '#test-support/eventually.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'

let stack: RunningConsole
let client: ConsoleClient
beforeAll(async () => {
  stack = await startWithConsole('--no-feed', '--allow-actions')
  client = await openClient(stack.url)
})
afterAll(() => stack?.stop())

/** The newest change that history has of a table and that meets the condition. */
const changeOf = (table: string, isWanted: (change: ShownChange) => boolean) =>
  until(`the change of ${table}`, async () => {
    const { body } = await client.get('GET /changes', { query: { table } })
    return body.items?.find(isWanted)
  })

test('changes made with any client are shown within a second, with who made them and why', async () => {
  await stack.source.query('create table public.orders (id bigint primary key, note text, amount numeric(10, 2))')
  await stack.source.query(`insert into public.orders values (1, 'first', 1.50)`)
  await changeOf('public.orders', () => true)

  const tookMs: number[] = []
  for (const amount of ['2.00', '3.00', '4.00', '5.00', '6.00']) {
    await stack.source.query(`begin; select tidemark.audit(why => 'paid ${amount}', who => 'alice');
      update public.orders set amount = ${amount} where id = 1; commit`)
    const committedMs = performance.now()
    const change = await changeOf('public.orders', ({ why }) => why === `paid ${amount}`)
    tookMs.push(performance.now() - committedMs)
    expect(change).toMatchObject({
      ...{ op: 'update', who: 'alice', application: 'test', changedCount: 1, columnCount: 3 },
      key: [{ name: 'id', cell: { kind: 'text', text: '1' } }],
      columns: [{ name: 'amount', type: 'numeric(10,2)', after: { kind: 'text', text: amount }, isChanged: true }],
    })
  }
  // A busy machine delays some of them.
  expect(Math.min(...tookMs)).toBeLessThan(1_000)

  const { body: life } = await client.get('GET /rows', { query: { table: 'public.orders', key: '{"id":1}' } })
  expect(life.changes.map(({ op }) => op)).toEqual([...Array(5).fill('update'), expect.stringMatching(/insert|read/)])
  expect(life.now).toContainEqual({ name: 'amount', cell: { kind: 'text', text: '6.00' } })
})

test('the snapshot is asked for with its ETag, and is sent to pages as it changes', async () => {
  const { body, headers } = await client.get('GET /snapshot')
  const events = await fetch(`${stack.url}${API_ROOT}/events`)
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader()

  let received = ''
  while (!/^data: .*\n\n/m.test(received)) received += (await reader.read()).value ?? ''
  await reader.cancel()

  expect(headers.get('etag')).toMatch(/^"[\w-]{22}"$/)
  expect(body.status?.capture.state).toBe('running')
  expect(body.unreachable).toEqual([])
  const [, sent] = /^data: (.*)$/m.exec(received)!
  expect(JSON.parse(sent!)).toMatchObject({ version: 1, status: { capture: { state: 'running' } } })
})

test('a page of another server gets nothing, whatever it asks for', async () => {
  const { host } = new URL(stack.url)
  const forged = [
    { origin: 'https://evil.example' },
    { origin: 'http://127.0.0.1:1' },
    { 'sec-fetch-site': 'cross-site' },
  ]

  for (const headers of forged) {
    for (const path of ['/session', '/snapshot', '/changes', '/events']) {
      const answer = await fetch(`${stack.url}${API_ROOT}${path}`, { headers: headers as Record<string, string> })
      expect([path, answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([path, 403, null])
      await answer.body?.cancel()
    }
  }
  expect((await fetch(stack.url.replace('127.0.0.1', 'localhost'), { headers: { host } })).status).toBe(200)
})

test('without the token of this process nothing is done, and a body has to be JSON', async () => {
  const strangers = await Promise.all(['', 'x'.repeat(43)].map((token) => openClient(stack.url, token)))
  const asked = { target: 'public.orders', confirmed: true }

  for (const stranger of strangers) {
    const answer = await stranger.post('POST /actions/:action', asked, { params: { action: 'table.resync' } })
    expect([answer.status, answer.body as object]).toEqual([403, { error: expect.any(Object) }])
  }
  const { token } = (await client.get('GET /session')).body
  const simple = await fetch(`${stack.url}${API_ROOT}/actions/table.resync`, {
    method: 'POST',
    headers: { [TOKEN_HEADER]: token, 'content-type': 'text/plain' },
    body: JSON.stringify(asked),
  })
  expect(simple.status).toBe(415)
})

test('a console that only shows executes nothing, says why, and how that is changed', async () => {
  const [port] = await freePortPairs(1)
  const program = join(import.meta.dirname, '../../commands/run.mjs')
  const child = spawn(process.execPath, [program, 'console', '--json', '--port', String(port)], {
    env: { ...process.env, TIDEMARK_DIRECTORY: stack.directory, TIDEMARK_CONSOLE_ACTIONS: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
    const { url } = JSON.parse(line).console
    const reader = await openClient(url)
    const session = (await reader.get('GET /session')).body

    expect(session.actions).toEqual([])
    expect(session.actionsOff).toContain('npm start -- --allow-actions')
    for (const action of [
      'table.resync',
      'table.accept',
      'quarantine.discard',
      'connector.delete',
      'capture.recover',
    ]) {
      const asked = { target: 'public.orders', confirmed: true, reason: 'a test' }
      const answer = await reader.post('POST /actions/:action', asked, { params: { action } })
      expect([action, answer.status]).toEqual([action, 403])
    }
    expect((await reader.get('GET /changes')).status).toBe(200)
  } finally {
    child.kill('SIGINT')
    await once(child, 'exit')
  }
})

describe('values of the user', () => {
  const markup = '<script>alert(1)</script><img src=x onerror=alert(2)>'
  const turned = '\u202Eabc\u202C\u2066x\u2069'
  const control = '\u0001\u0007\u001b[31mred\u001b[0m\r\n\tend'

  test('come as they are: markup, texts from right to left, control characters, and numbers with all digits', async () => {
    await stack.source.query(`create table public."<b>Odd</b> & 'names'" ("<i>k</i>" text primary key, "\u202Ev" text,
      big bigint, huge numeric, data json)`)
    await stack.source.query(`insert into public."<b>Odd</b> & 'names'" values ($1, $2, $3, $4, $5)`, [
      ...[markup, turned + control, '-9223372036854775808', '9223372036854775808.000000000000000001'],
      '{"nul": "\\u0000", "n": 9223372036854775807}',
    ])

    const table = `public.<b>Odd</b> & 'names'`
    const change = await changeOf(table, () => true)
    const row = await client.get('GET /rows', { query: { table, key: JSON.stringify({ '<i>k</i>': markup }) } })

    const values = Object.fromEntries(change.columns.map(({ name, after }) => [name, after]))
    expect(values).toMatchObject({
      '<i>k</i>': { kind: 'text', text: markup },
      '\u202Ev': { kind: 'text', text: turned + control },
      big: { text: '-9223372036854775808' },
      huge: { text: '9223372036854775808.000000000000000001' },
      data: { text: '{"nul": "\\u0000", "n": 9223372036854775807}' },
    })
    expect(row.body.now).toContainEqual({ name: 'big', cell: { kind: 'text', text: '-9223372036854775808' } })
    expect(change.columns.length).toBe(5)
  })

  test('of a thousand columns and of five megabytes are cut in lists, and an answer stays small', async () => {
    const columns = Array.from({ length: 1_000 }, (_, index) => `c${index} integer`)
    await stack.source.query(`create table public.wide (id integer primary key, ${columns.join(', ')}, long text)`)
    await stack.source.query(
      `insert into public.wide (id, c999, long) values (1, 7, repeat('\u00e4\u{1F600}', 1700000))`,
    )

    const change = await changeOf('public.wide', () => true)
    const whole = await client.get('GET /changes/:id', { params: { id: change.id } })

    expect([change.columnCount, change.columns.length]).toEqual([1_002, 24])
    expect(JSON.stringify(change).length).toBeLessThan(100_000)
    const long = whole.body.columns.find(({ name }) => name === 'long')
    expect(whole.body.columns).toHaveLength(1_002)
    expect(long?.after).toMatchObject({ kind: 'cut', length: 3 * 1_700_000 })
    expect(JSON.stringify(whole.body).length).toBeLessThan(5_500_000)
  })
})
