import { expect, test } from 'vitest'
import type { ConnectorStatus } from '#core/status/health.ts'
import type { ConnectApi } from './connect-api.ts'
import { stopConnector, type Within } from './running-connector.ts'

/** Repeats the attempt without a pause. */
const within: Within = async (what, attempt) => {
  for (let attempts = 0; attempts < 1_000; attempts++) {
    const result = await attempt()
    if ('done' in result) return result.done
  }
  throw new Error(what)
}

test('a stop is repeated where Connect goes on listing a task that took too long to end', async () => {
  let stops = 0
  const listed: ConnectorStatus = { connector: { state: 'STOPPED' }, tasks: [{ id: 0, state: 'RUNNING' }] }
  const connect = {
    stop: async () => void stops++,
    status: async () => (stops < 2 ? listed : { ...listed, tasks: [] }),
  } as unknown as ConnectApi

  await stopConnector(connect, within)

  expect(stops).toBe(2)
})

test('a stop that ends the task at once is not repeated', async () => {
  let stops = 0
  let looks = 0
  const connect = {
    stop: async () => void stops++,
    status: async (): Promise<ConnectorStatus> => ({
      connector: { state: 'STOPPED' },
      tasks: ++looks < 10 ? [{ id: 0, state: 'RUNNING' }] : [],
    }),
  } as unknown as ConnectApi

  await stopConnector(connect, within)

  expect(stops).toBe(1)
})
