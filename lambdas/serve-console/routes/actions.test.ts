import { describe, expect, test, vi } from 'vitest'
import type { ActionName } from '#core/console/actions.ts'
import type { RoutedRequest } from '../console-request.ts'
import { makeTableActions, type TableActionPorts } from '../table-actions.ts'
import { type ActionExecutor, type ActionPorts, ActionRefusedError, makeActionRoutes } from './actions.ts'

const request = (action: string, body: unknown): RoutedRequest => ({
  method: 'POST',
  path: `/actions/${action}`,
  query: new URLSearchParams(),
  headers: {},
  body: typeof body === 'string' ? body : JSON.stringify(body),
  who: 'alice',
  params: { action },
})

const confirmed = { target: 'public.orders', confirmed: true }

function routesWith(executor: Partial<ActionExecutor>, ports: Partial<ActionPorts> = {}) {
  const rows: string[] = []
  const record = {
    begin: vi.fn(async ({ who, action, target }: { who: string; action: ActionName; target: string }) => {
      rows.push(`begin ${who} ${action} ${target}`)
      return '7'
    }),
    finish: vi.fn(async (id: string, outcome: string, result: string) => {
      rows.push(`finish ${id} ${outcome} ${result}`)
      return true
    }),
  }
  const whole: ActionExecutor = {
    plan: async () => ({ kind: 'plan', will: ['It happens.'], command: 'npm run it', needsReason: false }),
    execute: async () => {
      rows.push('execute')
      return 'done'
    },
    ...executor,
  }
  const routes = makeActionRoutes({
    list: async () => [],
    record,
    executors: { 'table.accept': whole, 'quarantine.discard': whole },
    appVersion: '1',
    ...ports,
  })
  return { rows, post: (action: string, body: unknown) => routes['POST /actions/:action'](request(action, body)) }
}

describe('an action', () => {
  test('that is not confirmed is a plan, and leaves no row', async () => {
    const { post, rows } = routesWith({})

    expect(await post('table.accept', { target: 'public.orders', confirmed: false })).toMatchObject({ kind: 'plan' })
    expect(rows).toEqual([])
  })

  test('that is confirmed has its row before it begins, and its outcome afterwards', async () => {
    const { post, rows } = routesWith({})

    expect(await post('table.accept', confirmed)).toEqual({ kind: 'done', result: 'done' })
    expect(rows).toEqual(['begin alice table.accept public.orders', 'execute', 'finish 7 done done'])
  })

  test('does not begin if its row cannot be written', async () => {
    const denied = Object.assign(new Error('permission denied'), { code: '42501', severity: 'ERROR' })
    const { post, rows } = routesWith({}, { record: { begin: () => Promise.reject(denied), finish: async () => true } })

    await expect(post('table.accept', confirmed)).rejects.toBe(denied)
    expect(rows).toEqual([])
  })

  test('that a database or an executor refuses is answered and recorded as refused', async () => {
    const error = Object.assign(new Error('its rows would lack them'), {
      code: 'P0001',
      severity: 'ERROR',
      hint: 'resync',
    })
    const { post, rows } = routesWith({ execute: () => Promise.reject(error) })
    const other = routesWith({ execute: () => Promise.reject(new ActionRefusedError('not now', 'wait')) })

    expect(await post('table.accept', confirmed)).toEqual({ kind: 'refused', why: error.message, hint: 'resync' })
    expect(rows.at(-1)).toBe('finish 7 refused its rows would lack them')
    expect(await other.post('table.accept', confirmed)).toEqual({ kind: 'refused', why: 'not now', hint: 'wait' })
  })

  test('that fails is recorded as failed, with its causes', async () => {
    const error = new Error('no answer', { cause: new Error('ECONNREFUSED') })
    const { post, rows } = routesWith({ execute: () => Promise.reject(error) })

    await expect(post('table.accept', confirmed)).rejects.toBe(error)
    expect(rows.at(-1)).toBe('finish 7 failed no answer, because ECONNREFUSED')
  })

  test('that needs a reason is not executed without one', async () => {
    const plan = async () => ({ kind: 'plan', will: [], command: null, needsReason: true }) as const
    const { post, rows } = routesWith({ plan })

    await expect(post('quarantine.discard', { ...confirmed, reason: '  ' })).rejects.toMatchObject({ status: 400 })
    expect(await post('quarantine.discard', { ...confirmed, reason: 'a test' })).toMatchObject({ kind: 'done' })
    expect(rows).toHaveLength(3)
  })

  test.each([
    [403, 'connector.pause', confirmed],
    [404, 'table.drop', confirmed],
    [400, 'table.accept', '{"password": "secret'],
    [400, 'table.accept', { target: '', confirmed: true }],
    [400, 'table.accept', { target: 'x', confirmed: 'yes' }],
    [400, 'table.accept', { target: 'x', confirmed: true, configuration: { a: 1 } }],
  ])('is answered with %i: %s %j', async (status, action, body) => {
    const { post } = routesWith({})

    await expect(post(action, body)).rejects.toMatchObject({ status, message: expect.not.stringContaining('secret') })
  })

  test('is answered with 403 where the console may only read', async () => {
    const { post } = routesWith({}, { record: undefined })

    await expect(post('table.accept', confirmed)).rejects.toMatchObject({ status: 403 })
  })
})

describe('the actions on tables', () => {
  const actions = (ports: Partial<TableActionPorts>) =>
    makeTableActions({
      readStopped: async () => ({ reason: 'a view has its name', repair: 'accept', records: 3 }),
      countKept: async () => ({ records: 1, owed: 0 }),
      readCaptured: async () => ({ state: 'captured', reason: null }),
      beginResync: async (table) => [table],
      startCapture: async () => undefined,
      executeInTarget: async () => 'done',
      startApply: async () => undefined,
      ...ports,
    })

  test('say what will happen, to how many records, and the command that does the same', async () => {
    const request = { target: `public.o'rders`, confirmed: false }

    const [resync, accept, retry, discard] = await Promise.all(
      Object.values(actions({})).map(({ plan }) => plan(request)),
    )

    expect(resync).toMatchObject({
      kind: 'plan',
      command: `npm run resync -- 'public.o'\\''rders'`,
      needsReason: false,
    })
    expect(accept).toMatchObject({
      will: [expect.stringContaining('3 records of'), expect.stringContaining('a view has its name')],
    })
    expect(retry).toMatchObject({ kind: 'plan' })
    expect(discard).toMatchObject({
      needsReason: true,
      will: expect.arrayContaining([expect.stringContaining('1 record in quarantine is deleted')]),
    })
  })

  test('are refused before they are confirmed if they cannot be done', async () => {
    const refusing = actions({
      readStopped: async () => undefined,
      countKept: async () => ({ records: 2, owed: 2 }),
      readCaptured: async () => ({ state: 'snapshotting', reason: null }),
    })
    const request = { target: 'public.orders', confirmed: false }

    expect(await refusing['table.resync'].plan(request)).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('snapshotting'),
    })
    expect(await refusing['table.accept'].plan(request)).toMatchObject({
      kind: 'refused',
      why: 'public.orders is not stopped',
    })
    expect(await refusing['quarantine.discard'].plan(request)).toMatchObject({ kind: 'refused' })
  })

  test('have what they changed applied at once', async () => {
    const [startCapture, startApply] = [vi.fn(async () => undefined), vi.fn(async () => undefined)]
    const { 'table.resync': resync, 'table.accept': accept } = actions({ startCapture, startApply })

    expect(await resync.execute({ ...confirmed, who: 'alice', id: '1' })).toBe('public.orders: the rows are read again')
    expect(await accept.execute({ ...confirmed, who: 'alice', id: '2' })).toBe('done')
    expect(startCapture).toHaveBeenCalledOnce()
    expect(startApply).toHaveBeenCalledOnce()
  })
})
