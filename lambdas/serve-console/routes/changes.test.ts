import { describe, expect, test, vi } from 'vitest'
import type { FiledChange } from '#core/console/change-file.ts'
import { PlainAnswer, type RoutedRequest } from '../console-request.ts'
import { makeUnreachableParts } from '../unreachable-parts.ts'
import { type ChangePorts, makeChangeRoutes } from './changes.ts'

const request = (query: Record<string, string>, params: Record<string, string> = {}): RoutedRequest => ({
  method: 'GET',
  path: '/changes',
  query: new URLSearchParams(query),
  headers: {},
  body: null,
  who: 'alice',
  params,
})

const parse = (text: string) => (text.startsWith('c') ? text : undefined)
type Ports = ChangePorts<string, string, string, string>

function makePorts(ports: Partial<Ports> = {}): Ports {
  return {
    parseCursor: parse,
    parseTailCursor: parse,
    parseLifeCursor: parse,
    parsePlace: parse,
    list: async () => ({ items: [], next: null, searchedUntil: null }),
    one: async () => undefined,
    tail: async () => ({ items: [], cursor: 'c1', skipped: 0 }),
    life: () => Promise.reject(new Error('not asked for')),
    transaction: async () => undefined,
    exported: async () => ({ changes: [], next: null }),
    now: () => 0,
    parts: makeUnreachableParts(
      () => new Date(0),
      () => false,
    ),
    ...ports,
  }
}

test('a list is asked for with its filter, cursor and limit', async () => {
  const list = vi.fn(makePorts().list)
  const filter = {
    table: 'public.orders',
    key: '{"id":7}',
    op: 'update',
    since: '2026-11-30T14:05:03.000001Z',
    transaction: '7',
    who: 'al',
  }

  await makeChangeRoutes(makePorts({ list }))['GET /changes'](
    request({ ...filter, after: 'c1', limit: '7', until: '' }),
  )

  expect(list).toHaveBeenCalledWith(filter, 'c1', 7)
})

test.each<Record<string, string>>([
  { op: 'change' },
  { since: 'yesterday' },
  { until: '2026-11-30 10:00' },
  { since: '2026-13-30T10:00:00Z' },
  { transaction: '-1' },
  { transaction: '9223372036854775808' },
  { key: '{"id":7}' },
  { table: 'public.orders', key: '[7]' },
  { table: 'public.orders', key: '{' },
  { after: 'x' },
  { limit: '0' },
  { limit: '201' },
  { limit: '1e2' },
])('a list by %j is refused with what is wrong', async (query) => {
  await expect(makeChangeRoutes(makePorts())['GET /changes'](request(query))).rejects.toMatchObject({ status: 400 })
})

test('what the database says about a table, a key or a value is a problem of the request', async () => {
  const saying = (code: string) =>
    Object.assign(new Error('no such thing'), { code, severity: 'ERROR', hint: 'another' })
  const asking = (code: string) =>
    makeChangeRoutes(makePorts({ list: () => Promise.reject(saying(code)) }))['GET /changes'](request({}))

  await expect(asking('42P01')).rejects.toMatchObject({ status: 404, hint: 'another' })
  await expect(asking('42703')).rejects.toMatchObject({ status: 400, message: 'no such thing' })
  await expect(asking('22P02')).rejects.toMatchObject({ status: 400 })
  await expect(asking('57014')).rejects.toMatchObject({ code: '57014' })
})

test('what does not exist is answered with 404', async () => {
  const routes = makeChangeRoutes(makePorts({ list: async () => undefined }))
  const of = { epoch: '1', transaction: '7' }

  await expect(routes['GET /changes'](request({ table: 'public.none' }))).rejects.toMatchObject({ status: 404 })
  await expect(routes['GET /changes/:id'](request({}, { id: 'x' }))).rejects.toMatchObject({ status: 404 })
  await expect(routes['GET /changes/:id'](request({}, { id: 'c1' }))).rejects.toMatchObject({ status: 404 })
  const transaction = routes['GET /transactions/:epoch/:transaction']
  await expect(transaction(request({ at: '2026-11-30T14:05:03Z' }, of))).rejects.toMatchObject({ status: 404 })
  await expect(transaction(request({}, of))).rejects.toMatchObject({ status: 400 })
})

describe('an export', () => {
  const change: FiledChange = {
    committedAt: '2026-11-21T12:00:01.000001Z',
    table: 'public.orders',
    op: 'delete',
    key: '{"id": 1}',
    before: '{"id": 1}',
    after: null,
    changed: null,
    transaction: '7',
    lsn: '0/1',
    epoch: 1,
    who: null,
    application: null,
    why: null,
    details: null,
  }
  const exportOf = async (exported: Ports['exported'], query: Record<string, string>) => {
    const answer = await makeChangeRoutes(makePorts({ exported }))['GET /export'](request(query))
    if (!(answer instanceof PlainAnswer)) throw new Error('it is no file')
    return answer
  }

  test('goes through all pages, and is a file with a header', async () => {
    const exported: Ports['exported'] = async (_, cursor) => ({
      changes: [change],
      next: cursor === undefined ? 'c1' : null,
    })

    const { body, headers } = await exportOf(exported, { format: 'csv' })

    expect(body.trimEnd().split('\r\n')).toHaveLength(3)
    expect(headers).toMatchObject({ 'content-disposition': 'attachment; filename="changes.csv"' })
    expect(headers).not.toHaveProperty('x-tidemark-next')
  })

  test('of more than 10,000 changes says where the next file begins', async () => {
    const exported: Ports['exported'] = async (_, __, limit) => ({ changes: Array(limit).fill(change), next: 'c1' })

    const { body, headers } = await exportOf(exported, { format: 'ndjson' })

    expect(body.trimEnd().split('\n')).toHaveLength(10_000)
    expect(headers['x-tidemark-next']).toBe('c1')
  })

  test('of large changes has as many as fit', async () => {
    const large = { ...change, before: `"${'x'.repeat(300_000)}"` }
    const exported: Ports['exported'] = async (_, __, limit) => ({ changes: Array(limit).fill(large), next: 'c1' })

    const { body } = await exportOf(exported, { format: 'ndjson' })

    expect(body.length).toBeGreaterThan(1_000_000)
    expect(body.length).toBeLessThan(5_500_000)
  })

  test('of a change that is larger than a file is refused', async () => {
    const large = { ...change, before: `"${'x'.repeat(6_000_000)}"` }
    const exported: Ports['exported'] = async (_, __, limit) => ({
      changes: Array(Math.min(limit, 2)).fill(large),
      next: 'c1',
    })

    await expect(exportOf(exported, {})).rejects.toMatchObject({ status: 413 })
  })
})
