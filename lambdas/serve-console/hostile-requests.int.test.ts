import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeLatestState } from '#adapters/postgres/apply/latest-state.ts'
import { ACTION_NAMES } from '#core/console/actions.ts'
import { TOKEN_HEADER } from '#core/console/routes.ts'
import type { TableStatus } from '#core/status/status.ts'
import { ChangeLog, ordersContract } from '#test-support/changes/change-log.ts'
import { wellStatus } from '#test-support/console/well-status.ts'
import { consolePool } from '#test-support/databases/console-pool.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'
import { type Choice, makeChoice } from '#test-support/histories/choice.ts'
import { consoleHandlers } from './console-handlers.ts'
import { consoleSession } from './console-session.ts'
import { makeServeConsole, type ServeConsole } from './serve-console.ts'
import { isUnreachable } from './unreachable-error.ts'
import { makeUnreachableParts } from './unreachable-parts.ts'

const seed = Number(process.env['TIDEMARK_SEED'] ?? 20_261)
const runs = Number(process.env['TIDEMARK_RUNS'] ?? 1_500)
const committedAtMs = Date.parse('2026-11-21T12:00:01Z')
const token = 'token of this console'

let target: TestDatabase
let source: SourceDatabase
let serve: ServeConsole
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  ;[target, source] = await Promise.all([createDatabase('target'), createSource()])
  const columns = ordersContract().columns.map((column) => ({ ...column, key: null, nullable: true }))
  const row = { id: 7, name: 'new', amount: '1.00' }
  const log = new ChangeLog()
    .contract(ordersContract())
    .contract(ordersContract({ relation: 4712, table: 'log', replicaIdentity: 'full', columns }))
    .create(row, { lsn: 10, committedAtMs })
    .update({ ...row, name: 'paid' }, { lsn: 20, committedAtMs })
    .delete({ id: 7, name: null, amount: null }, { lsn: 30, committedAtMs })
    .create(row, { lsn: 40, committedAtMs, table: 'log' })
  await makeLatestState(target.pool).apply(
    { consumer: 'tidemark-latest-state', topic: 'changes', topicPartition: 0 },
    log.records,
  )
  const { rows } = await target.pool.query(
    `select concat_ws('.', (extract(epoch from committed_at) * 1000000)::bigint, epoch, lsn, op, ordinal, relation, key_hash) as place
     from tidemark_rows.change`,
  )
  TEXTS.push(...rows.flatMap(({ place: real }) => [real, `i${real}`, `i${real}~${real}`]))
  serve = makeServeConsole(...openHandlers(), token)
}, 120_000)
afterAll(async () => {
  for (const close of closing) await close()
  await Promise.all([target?.drop(), source?.drop()])
})

const orders: TableStatus = {
  name: 'public.orders',
  state: 'captured',
  source: { rows: 1, isEstimate: true },
  target: null,
  changedSecondsAgo: null,
}

function openHandlers() {
  const pools = [target, source].flatMap((database) => [
    consolePool(database),
    consolePool(database, 'tidemark_console_act'),
  ])
  closing.push(...pools.map((pool) => () => pool.end()))
  const [reader, actor, sourceReader, sourceActor] = pools as [
    (typeof pools)[0],
    (typeof pools)[0],
    (typeof pools)[0],
    (typeof pools)[0],
  ]
  const parts = makeUnreachableParts(() => new Date(), isUnreachable)
  const nothing = async () => undefined
  const connectors = {
    ...{ list: async () => [], read: nothing, validate: async () => [], create: nothing },
    ...{ restart: nothing, pause: nothing, resume: nothing, delete: nothing },
  }
  const handlers = consoleHandlers({
    ...{ parts, target: reader, source: sourceReader, connectors },
    acting: {
      ...{ target: actor, source: sourceActor, connectors, hasOwnTopicsOnly: false },
      ...{ startCapture: nothing, startApply: nothing },
      recovery: { diagnose: async () => ({ diagnosis: { findings: [] }, steps: [] }) as never, begin: nothing },
    },
    overview: {
      session: consoleSession({
        ...{ token, events: false, archiveQuery: { kind: 'none' }, stage: 'test', actionsOff: null },
      }),
      ...{
        status: async () => ({ ...wellStatus, tables: [orders] }),
        slotLimit: async () => null,
        now: () => new Date(),
      },
    },
    topics: { list: async () => [], read: nothing, readOne: nothing },
    archive: {
      observe: async () => ({}) as never,
      read: async () => ({ table: 'archive', location: '', snapshots: [], files: [] }),
      query: async () => ({ refused: 'it is no query', hint: null }),
    },
    archiveTable: 'archive',
    inspect: async () => ({ refused: 'it does not answer', hint: null }),
    equality: { start: async () => ({}) as never, state: () => null },
    mappings: async () => [],
  })
  return [handlers, parts] as const
}

const long = (part: string) => part.repeat(Math.ceil(20_000 / part.length))
const place = '1795262400000000.1.100.c.201.1.-1'
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What hostile requests are made of. Lone surrogates and NUL are in texts that a client can send. */
const TEXTS: string[] = [
  ...['', ' ', '0', '-1', '1e9', '9'.repeat(19), '9'.repeat(400), '1.5', 'NaN', 'null', 'true', '[]', '{}', '{"id":7}'],
  ...['\0', 'a\0b', '\ud800', '\udfff\ud800', '😀', '\u202e', '\ufeff', '\r\n', '\u0085', '%', '%00', '%zz', '%c0%af'],
  ...["'", '"', "'; drop table tidemark.contract; --", '$1', '\\', '../../etc/passwd', '//', '?', '#', '*', '.'],
  ...[
    'public.orders',
    'public.none',
    'public.log',
    'PUBLIC.ORDERS',
    '"public"."orders"',
    'pg_catalog.pg_class',
    'all',
    'changes-0@1',
  ],
  ...['changes-2147483648@999999999999999999', 'changes-999999999@1', '-0@0', 'a@b', 'orders', 'insert', 'read', 'x'],
  ...['2026-11-21T12:00:01Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', '2026-02-30T00:00Z', '-infinity'],
  ...['2026-11-21', '999999-01-01', '0000-00-00', '2026-13-45 99:99'],
  ...[
    place,
    `i${place}`,
    `i${place}~${place}`,
    `i${place}~`,
    'i',
    `${place}.1`,
    '1.1.1.x.1.1.1',
    't0.1',
    't-1.9',
    't9.0',
  ],
  ...['t253402300799999999.1', '-99999999999999999.1.1.c.1.1.1', '253402300799999999.2147483647.-1.t.0.0.0'],
  ...['t2999999999999999.9999999999999999', '99999999999999999999999999', '9223372036854775807', '9223372036854775808'],
  ...['{"id":"a\\u0000b"}', '{"id":null}', '{"id":{"id":1}}', '{"id":"\\ud800"}', '{"\\u0000":1}', '{"id":1e400}'],
  ...[
    '{"id":99999999999999999999999}',
    '{"other":1}',
    '{"id":true}',
    '{"__proto__":1}',
    '{"id":7,"id":8}',
    '{"id":[7]}',
  ],
  ...[long('a'), long('é'), long('['), long('{"a":'), `{"id":"${long('x')}"}`],
  ...[
    encoded([]),
    encoded({}),
    encoded(null),
    encoded([[], place]),
    encoded(['1:1:', {}, []]),
    encoded(['9:1:5', {}, []]),
  ],
  ...[encoded(['18446744073709551616:18446744073709551616:', {}, []]), encoded(['1:5:2,2', { 0: [1, 2] }, ['1']])],
  ...[encoded(['1:5:9', { '\0': [1, null] }, []]), encoded(['1:5:', { 0: [9e15, -9e15] }, ['999999999999999999']])],
  ...[
    encoded(['00000000000000000001:5:', { 0: [0, 8.64e18] }, []]),
    encoded(['1:5:', { 0: [1, 9007199254740991] }, []]),
  ],
  ...[
    hostileLife({}),
    hostileLife({ epoch: 2 ** 40 }),
    hostileLife({ hash: '9'.repeat(19) }),
    hostileLife({ key: ['a\0'] }),
  ],
  ...[
    hostileLife({ numbers: [2 ** 40], texts: ['1'] }),
    hostileLife({ numbers: [1], texts: null }),
    hostileLife({ texts: ['\ud800'] }),
  ],
  ...[
    hostileLife({ relation: '-9223372036854775809' }),
    hostileLife({ numbers: [-1, 0], texts: ['a'] }),
    hostileLife({ relation: '4712', key: null, numbers: [1], texts: ['7'] }),
  ],
]

function hostileLife(changes: object): string {
  const wanted = { epoch: 1, relation: '4711', hash: '1', op: null, key: ['7'], numbers: null, texts: null }
  return encoded([[{ ...wanted, ...changes }], place])
}

/** The parameters that each route reads. `:` is a segment that is filled in. */
const ROUTES: Readonly<Record<string, readonly string[]>> = {
  'GET /session': [],
  'GET /snapshot': [],
  'GET /tables': ['search', 'state', 'after', 'limit'],
  'GET /tables/:': [],
  'GET /changes': ['table', 'key', 'op', 'since', 'until', 'transaction', 'who', 'after', 'limit'],
  'GET /changes/tail': ['after', 'limit'],
  'GET /changes/:': [],
  'GET /export': ['format', 'table', 'key', 'op', 'since', 'until', 'transaction', 'who', 'after'],
  'GET /rows': ['table', 'key', 'after', 'limit'],
  'GET /transactions/:/:': ['at', 'after', 'limit'],
  'GET /topics': [],
  'GET /topics/:/records': ['from', 'offset', 'partition', 'time', 'key', 'after', 'limit'],
  'GET /topics/:/records/:/:': ['part', 'from'],
  'GET /connectors': [],
  'GET /connectors/:': [],
  'POST /connectors/inspect': [],
  'GET /consumers': [],
  'GET /archive': [],
  'POST /archive/query': [],
  'GET /windows': [],
  'GET /windows/:/series': ['measure', 'group', 'from', 'to'],
  'GET /quarantine': ['table', 'after', 'limit'],
  'GET /quarantine/:': [],
  'GET /equality': [],
  'POST /equality': [],
  'GET /actions': ['after', 'limit'],
  'POST /actions/:': [],
}
const SENSIBLE: Readonly<Record<string, readonly string[]>> = {
  table: ['public.orders', 'public.log'],
  key: ['{"id":7}', '{"id":"7","name":"new"}'],
  at: ['2026-11-21T12:00:01Z'],
  limit: ['1', '5', '200'],
  op: ['insert', 'delete'],
  format: ['csv', 'ndjson'],
  since: ['2026-11-21T12:00:00Z'],
  until: ['2026-11-22T00:00:00Z'],
}
const STRANGE = ['/', '', '/:', '/:/:', '/tables/', '/__proto__', '/constructor', '/changes/tail/:', '/actions/:/:']
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'get', 'OPTIONS', 'PATCH', '\0']

type Request = Parameters<ServeConsole>[0]

const oneOf = <T>(choice: Choice, items: readonly T[]): T => items[choice.below(items.length)]!

/** Most requests are of a route and have one hostile parameter, so that they come as far as the database. */
function hostileRequest(choice: Choice): Request {
  const text = () => oneOf(choice, TEXTS)
  const [route, parameters] = oneOf(choice, Object.entries(ROUTES))
  const [usual, usualPath] = route.split(' ') as [string, string]
  const method = choice.chance(93) ? usual : oneOf(choice, METHODS)
  const path = choice.chance(95) ? usualPath : oneOf(choice, STRANGE)
  const hostile = choice.chance(90) ? parameters[choice.below(parameters.length)] : 'toString'
  const query = new URLSearchParams()
  for (const name of parameters) {
    if (name === hostile || choice.chance(5)) query.append(name, text())
    else if (SENSIBLE[name] !== undefined && choice.chance(60)) query.append(name, oneOf(choice, SENSIBLE[name]))
    if (choice.chance(3)) query.append(name, text())
  }
  const hasToken = choice.chance(95)
  return {
    method,
    path: path.replaceAll(':', () => segmentOf(choice, text)),
    query,
    headers: {
      ...(hasToken ? { [TOKEN_HEADER]: token } : choice.chance(50) && { [TOKEN_HEADER]: text() }),
      ...(choice.chance(10) && { 'if-none-match': text() }),
    },
    body: method === 'GET' && choice.chance(80) ? null : bodyOf(choice, text),
    who: choice.chance(80) ? 'alice' : text() || 'bob',
  }
}

function segmentOf(choice: Choice, text: () => string): string {
  const raw = choice.chance(50) ? oneOf(choice, [...ACTION_NAMES, 'public.orders', '1', '700', place]) : text()
  return choice.chance(10) ? raw.replaceAll('/', '%2F') : encodeURIComponent(raw.toWellFormed())
}

function bodyOf(choice: Choice, text: () => string): string | null {
  if (choice.chance(25)) return oneOf(choice, [null, ...TEXTS])
  const value = (): unknown =>
    oneOf(choice, [text(), text(), null, 1, -1, Number.MAX_VALUE, true, [], {}, [text()], { [text()]: text() }])
  const body: Record<string, unknown> = {}
  const fields = ['target', 'confirmed', 'reason', 'configuration', 'sql', 'tables', 'host', 'port', 'database', 'user']
  for (const name of [...fields, 'password']) if (choice.chance(60)) body[name] = value()
  if (choice.chance(60)) body['target'] = text()
  if (choice.chance(70)) body['confirmed'] = choice.chance(50)
  if (choice.chance(50)) body['reason'] = text()
  if (choice.chance(50)) body['configuration'] = { 'connector.class': text(), [text()]: text() }
  return JSON.stringify(body)
}

const ANSWER_MS = 10_000

test(`${runs} hostile requests are each answered in time, and what is wrong with one is a problem of the request (TIDEMARK_SEED=${seed})`, {
  timeout: 600_000,
}, async () => {
  const choice = makeChoice(seed)
  const statuses = new Map<number, number>()
  for (let run = 0; run < runs; run++) {
    const request = hostileRequest(choice)
    const asked = `${run}: ${request.method} ${request.path.slice(0, 200)}?${String(request.query).slice(0, 400)} ${request.body?.slice(0, 300)}`
    const beganMs = performance.now()
    const { status, body } = await serve(request)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)

    expect(performance.now() - beganMs, asked).toBeLessThan(ANSWER_MS)
    expect(body.isWellFormed(), asked).toBe(true)
    if (status === 200 || status === 304) continue
    expect(status, `${asked}\n${body}`).toBeGreaterThanOrEqual(400)
    expect(status, `${asked}\n${body}`).toBeLessThan(500)
    const { error } = JSON.parse(body) as { error: { message: unknown; hint: unknown } }
    expect(typeof error.message, asked).toBe('string')
    expect(error.message, asked).not.toBe('')
    expect(error.hint === null || typeof error.hint === 'string', asked).toBe(true)
  }

  expect(statuses.get(200)).toBeGreaterThan(runs / 5)
  expect(statuses.get(400)).toBeGreaterThan(runs / 5)
  const { rows } = await target.pool.query(`select count(*)::int as changes from tidemark_rows.change`)
  expect(rows).toEqual([{ changes: 4 }])
})
