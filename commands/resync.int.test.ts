import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { captureFor } from '#test-support/capture/capture-run.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'
import { eventually } from '#test-support/eventually.ts'
import { beginResync, openSource, waitUntilCaptured } from './resync/resynced-tables.ts'
import { main } from './resync.ts'

let source: SourceDatabase

async function run(...argv: string[]) {
  const [out, err] = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error')].map((spy) => spy.mockReturnValue())
  const code = await main(argv)
  return { code, out: out!.mock.calls.join('\n'), err: err!.mock.calls.join('\n') }
}

const capture = () => captureFor(source.pool, 500)

beforeEach(async () => {
  source = await createSource()
  await source.listen()
  await source.pool.query('create table orders (id int primary key); create table trip (id int primary key)')
  await capture()
  vi.stubEnv('TIDEMARK_SOURCE_URL', source.url)
})

afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await source.drop()
})

test('a resync begins a new generation of a table, and its contract says so at once', async () => {
  const { code, out } = await run('public.orders')

  expect({ code, out }).toEqual({
    code: 0,
    out: 'public.orders: generation 2 has begun, is being captured: its rows will be read again by a snapshot',
  })
  expect((await source.contracts('public.orders')).at(-1)).toMatchObject({ generation: 2, complete: false })
})

test('--wait ends when the table is captured again', async () => {
  const waiting = run('public.orders', '--wait', '--json')
  await eventually(async () => expect(await source.state('public.orders')).toMatchObject({ state: 'pending' }))

  await capture()

  const { code, out } = await waiting
  expect(code).toBe(0)
  expect(JSON.parse(out)).toEqual({
    tables: [{ name: 'public.orders', generation: 2, state: 'captured', why: null }],
    refused: [],
  })
})

test('waiting ends as soon as nothing is captured any more, with the cause', async () => {
  const client = await openSource(source.url)
  const { begun } = await beginResync(client, ['public.orders'])
  const whyInVain = async () => 'capture is down: the slot is gone'

  const waiting = waitUntilCaptured(client, begun, { waitMs: 60_000, onProgress: () => undefined, whyInVain })

  await expect(waiting).rejects.toThrow('capture is down: the slot is gone')
  await client.end()
})

test('waiting ends with exit code 1 when the time is over, and the snapshot goes on', async () => {
  const { code, out } = await run('public.orders', '--wait', '--timeout', '0.3')

  expect(code).toBe(1)
  expect(out).toContain('generation 2 has begun')
})

test('a table that does not exist is reported with similar names, and the others are read', async () => {
  const { code, out, err } = await run('public.order', 'public.trip', 'public.trip')

  expect(code).toBe(2)
  expect(err).toContain('public.order: there is no captured table public.order: did you mean public.orders?')
  expect(err).toContain('public.trip: public.trip is being captured already (pending)')
  expect(out).toContain('public.trip: generation 2 has begun')
})

test.each([
  [[], /^could not resync: say which table/],
  [['public.orders', '--timeout', 'soon'], /^could not resync: --timeout soon is not a number of seconds/],
  [['--wiat'], /^could not resync: Unknown option '--wiat'/],
])('%j ends with exit code 2 and one line that says what to do', async (argv, message) => {
  const { code, err } = await run(...argv)

  expect(code).toBe(2)
  expect(err).toMatch(message)
})

test('a source out of reach is named with the cause', async () => {
  vi.stubEnv('TIDEMARK_SOURCE_URL', 'postgres://u:p@127.0.0.1:1/none')

  const { code, err } = await run('public.orders')

  expect(code).toBe(2)
  expect(err).toMatch(/^could not resync: cannot connect to none at 127\.0\.0\.1:1: .*ECONNREFUSED/)
})

test('--help prints the usage', async () => {
  expect(await run('--help')).toMatchObject({
    code: 0,
    out: expect.stringContaining('npm run resync -- <schema.table>'),
  })
})
