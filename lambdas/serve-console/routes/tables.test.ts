import { expect, test } from 'vitest'
import type { QuarantinedItem } from '#core/console/quarantine.ts'
import type { TableContract } from '#core/contract.ts'
import type { Status } from '#core/status/status.ts'
import { PlainAnswer, type RoutedRequest } from '../console-request.ts'
import { makeUnreachableParts } from '../unreachable-parts.ts'
import { choicesOf, makeQuarantineRoutes } from './quarantine.ts'
import { makeTableRoutes, type TablePorts } from './tables.ts'

const request = (query: Record<string, string>, params: Record<string, string> = {}): RoutedRequest => ({
  method: 'GET',
  path: '/tables',
  query: new URLSearchParams(query),
  headers: {},
  body: null,
  who: 'alice',
  params,
})
const parts = makeUnreachableParts(
  () => new Date(0),
  (error) => error instanceof Error && error.message === 'no answer',
)

const status = {
  tables: ['public.b', 'public.a', 'shop.c'].map((name, i) => ({
    name,
    state: i === 0 ? 'snapshotting' : 'captured',
    source: { rows: 1, isEstimate: false },
    target: null,
    changedSecondsAgo: null,
  })),
  stopped: [],
  notCaptured: [],
  uncaptured: [],
  missing: [],
  indexProblems: [],
} as unknown as Status

const routes = (ports: Partial<TablePorts> = {}) =>
  makeTableRoutes({
    status: async () => status,
    countDay: () => null,
    countQuarantined: async () => new Map(),
    readUnkept: async () => new Set(),
    readFacts: async () => undefined,
    readContractTimes: null,
    parts,
    ...ports,
  })

test('tables are listed by their names in parts, and found by a part of the name and by the state', async () => {
  const names = async (query: Record<string, string>) => {
    const page = await routes()['GET /tables'](request(query))
    if (page instanceof PlainAnswer) throw new Error('it is a file')
    const { items, next } = page
    return [...items.map(({ name }) => name), next]
  }

  expect(await names({ limit: '2' })).toEqual(['public.a', 'public.b', 'public.b'])
  expect(await names({ limit: '2', after: 'public.b' })).toEqual(['shop.c', null])
  expect(await names({ search: 'PUBLIC' })).toEqual(['public.a', 'public.b', null])
  expect(await names({ state: 'snapshotting' })).toEqual(['public.b', null])
  await expect(routes()['GET /tables'](request({ state: 'lost' }))).rejects.toMatchObject({ status: 400 })
})

test('a table that there is not is answered with 404, and one without facts in the target is shown', async () => {
  const route = routes()['GET /tables/:table']

  await expect(route(request({}, { table: 'public.none' }))).rejects.toMatchObject({ status: 404 })
  expect(await route(request({}, { table: 'public.a' }))).toMatchObject({
    table: { name: 'public.a' },
    contracts: [],
    history: { isKept: false, retention: null },
  })
})

test('versions of a contract have the times of the source, and none while it does not answer', async () => {
  const contract = { relation: 7, version: 2, schema: 'public', table: 'a', generation: 1, columns: [] }
  const readFacts: TablePorts['readFacts'] = async () => ({
    contracts: [{ epoch: 1, contract: contract as unknown as TableContract }],
    history: { isKept: true, retention: null },
    indexes: [],
  })
  const timesWith = async (readContractTimes: TablePorts['readContractTimes']) => {
    const table = await routes({ readFacts, readContractTimes })['GET /tables/:table'](
      request({}, { table: 'public.a' }),
    )
    if (table instanceof PlainAnswer) throw new Error('it is a file')
    return table.contracts.map(({ at }) => at)
  }

  const at = '2026-11-30T14:05:03.000001Z'
  expect(await timesWith(async ([relation]) => [{ epoch: 1, relation: relation!, version: 2, at }])).toEqual([at])
  expect(
    await timesWith(async () => {
      throw new Error('no answer')
    }),
  ).toEqual([null])
  expect(await timesWith(null)).toEqual([null])
})

test('tables are not answered before the first status', async () => {
  await expect(routes({ status: async () => null })['GET /tables'](request({}))).rejects.toMatchObject({ status: 409 })
})

test('the quarantine is listed in parts behind a place', async () => {
  const items = ['changes-0@1', 'changes-0@2'].map((place) => ({ place }) as QuarantinedItem)
  const { 'GET /quarantine': list, 'GET /quarantine/:place': one } = makeQuarantineRoutes({
    parsePlace: (text) => (text === 'x' ? undefined : { topic: 'changes', topicPartition: 0, offset: '1' }),
    list: async (_, after, limit) => items.slice(after === undefined ? 0 : 1, (after === undefined ? 0 : 1) + limit),
    read: async () => undefined,
    readNeighbours: async () => [],
    parts,
  })

  expect(await list(request({ limit: '1' }))).toEqual({ items: [items[0]], next: 'changes-0@1' })
  expect(await list(request({ limit: '1', after: 'changes-0@1' }))).toEqual({ items: [items[1]], next: null })
  await expect(list(request({ after: 'x' }))).rejects.toMatchObject({ status: 400 })
  await expect(one(request({}, { place: 'x' }))).rejects.toMatchObject({ status: 400 })
  await expect(one(request({}, { place: 'changes-0@9' }))).rejects.toMatchObject({ status: 404 })
})

test.each([
  ['user-events', { table: null, repair: null, isOwed: false }, ['quarantine.retry', 'quarantine.discard']],
  ['changes', { table: 'public.a', repair: 'accept', isOwed: true }, ['table.accept', 'table.resync']],
  ['changes', { table: 'public.a', repair: 'resync', isOwed: true }, ['table.resync']],
  ['changes', { table: 'public.forged', repair: null, isOwed: false }, ['quarantine.discard']],
] as const)('a record of %s with %j can be %j', (topic, record, actions) => {
  expect(choicesOf({ topic }, { place: `${topic}-0@1`, ...record }).map(({ action }) => action)).toEqual(actions)
})
