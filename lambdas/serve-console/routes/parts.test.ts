import { expect, test, vi } from 'vitest'
import type { Equality } from '#core/console/equality.ts'
import type { RoutedRequest } from '../console-request.ts'
import { archiveRoutes } from './archive.ts'
import { connectorRoutes } from './connectors.ts'
import { equalityRoutes } from './equality.ts'
import { windowsRoutes } from './windows.ts'

const parts = { ask: <T>(_: string, work: () => Promise<T>) => work() }
const posted = (body: unknown) => ({ body: typeof body === 'string' ? body : JSON.stringify(body) }) as RoutedRequest
const asked = (query: string, params: Record<string, string>) =>
  ({ params, query: new URLSearchParams(query) }) as unknown as RoutedRequest

const connection = { host: 'db.example.com', port: 5432, database: 'shop', user: 'app', password: 'hunter2' }
const inspect = vi.fn(async () => ({ server: 'shop', findings: [], schemas: [] }))
const connectors = { list: async () => [], read: async () => undefined }

test('a database is inspected only where actions are on', async () => {
  const off = connectorRoutes({ connectors, inspect: null, parts })
  await expect(off['POST /connectors/inspect'](posted(connection))).rejects.toMatchObject({ status: 403 })

  const on = connectorRoutes({ connectors, inspect, parts })
  expect(await on['POST /connectors/inspect'](posted({ ...connection, port: '5432' }))).toMatchObject({
    server: 'shop',
  })
  expect(inspect).toHaveBeenLastCalledWith(connection)
})

test.each([
  { ...connection, host: '/var/run/postgresql' },
  { ...connection, host: 'db/x' },
  { ...connection, host: '' },
  { ...connection, port: 0 },
  { ...connection, port: 'x' },
  { ...connection, database: '' },
  { ...connection, user: 'a\0b' },
  { ...connection, password: 5 },
  [],
  'no JSON with hunter2',
])('a connection that cannot be one is refused, without its password in the message: %j', async (body) => {
  inspect.mockClear()
  const { 'POST /connectors/inspect': post } = connectorRoutes({ connectors, inspect, parts })

  const error = await post(posted(body)).catch((refusal: unknown) => refusal)

  expect(error).toMatchObject({ status: 400 })
  expect(String((error as Error).message)).not.toContain('hunter2')
  expect(inspect).not.toHaveBeenCalled()
})

test('a database that does not let the user in is the answer, with what helps', async () => {
  const refused = async () => ({ refused: 'cannot connect', hint: 'Check the password.' })
  const { 'POST /connectors/inspect': post } = connectorRoutes({ connectors, inspect: refused, parts })

  await expect(post(posted(connection))).rejects.toMatchObject({ status: 400, hint: 'Check the password.' })
})

test('an unknown connector is not found', async () => {
  const { 'GET /connectors/:name': read } = connectorRoutes({ connectors, inspect, parts })

  await expect(read(asked('', { name: 'x' }))).rejects.toMatchObject({ status: 404 })
})

test('a comparison is begun once', async () => {
  const begun: Equality = { state: 'waiting', beganAt: '', asOf: null, why: null, tables: [] }
  let state: Equality | null = null
  const start = vi.fn(async () => (state = begun))
  const routes = equalityRoutes({ start, state: () => state })
  expect(await routes['GET /equality'](posted(''))).toEqual({ equality: null })

  expect(await routes['POST /equality'](posted({ tables: ['public.orders'] }))).toBe(begun)
  expect(start).toHaveBeenLastCalledWith(['public.orders'])
  await expect(routes['POST /equality'](posted({ tables: null }))).rejects.toMatchObject({ status: 409 })
  await expect(routes['POST /equality'](posted({ tables: [] }))).rejects.toMatchObject({ status: 400 })
  await expect(equalityRoutes(null)['POST /equality'](posted({ tables: null }))).rejects.toMatchObject({ status: 404 })
})

test('a query runs where there is an engine, and what it says is the answer', async () => {
  const query = vi.fn(async (sql: string) =>
    sql === 'wrong' ? { refused: 'no column', hint: null } : { columns: [], rows: [], isCut: false, tookMs: 1 },
  )
  const archive = { observe: vi.fn(), read: vi.fn(), parts }
  const run = archiveRoutes({ ...archive, query })['POST /archive/query']

  expect(await run(posted({ sql: 'select 1' }))).toMatchObject({ tookMs: 1 })
  await expect(run(posted({ sql: 'wrong' }))).rejects.toMatchObject({ status: 400, message: 'no column' })
  await expect(run(posted({ sql: ' ' }))).rejects.toMatchObject({ status: 400 })
  await expect(run(posted({ sql: 'x'.repeat(20_001) }))).rejects.toMatchObject({ status: 413 })
  const none = archiveRoutes({ ...archive, query: null })['POST /archive/query']
  await expect(none(posted({ sql: 'select 1' }))).rejects.toMatchObject({ status: 404 })
})

test('a series has a measure, groups and times, and wrong ones are refused', async () => {
  const series = vi.fn(async (): Promise<never | undefined> => undefined)
  const { 'GET /windows/:name/series': read } = windowsRoutes({ definitions: async () => [], series, parts })
  const of = (query: string) => read(asked(query, { name: 'by_zone' }))

  await expect(of('measure=trips&group=7&group=8&from=2024-01-01 10:00')).rejects.toMatchObject({ status: 404 })
  expect(series).toHaveBeenLastCalledWith({
    ...{ name: 'by_zone', measure: 'trips', groups: ['7', '8'], from: '2024-01-01 10:00', to: null },
  })
  await expect(of("to=2024' or 1")).rejects.toMatchObject({ status: 400 })
  await expect(of('to=2024-99-99')).rejects.toMatchObject({ status: 400 })
  series.mockResolvedValueOnce({ unknownMeasure: 'x', measures: ['trips'] } as never)
  await expect(of('measure=x')).rejects.toMatchObject({ status: 400, hint: 'It has trips.' })
})
