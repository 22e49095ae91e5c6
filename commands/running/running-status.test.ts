import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { RunningEngine } from '#localstack/engine.ts'
import { whyCaptureIsDown } from './running-status.ts'

/** An engine whose page returns this status. */
async function whileServing<T>(status: object, work: (engine: RunningEngine) => Promise<T>): Promise<T> {
  const server = createServer((_, response) => response.end(JSON.stringify(status)))
  await new Promise<void>((resume) => server.listen(0, '127.0.0.1', resume))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    return await work({ pid: 1, endpoints: { endpoint } as RunningEngine['endpoints'], outputs: {} })
  } finally {
    server.close()
  }
}

test('commands that wait for changes learn from the running stack that no change will come, and what to run', async () => {
  const capture = { state: 'down', cause: 'the slot is gone', command: 'npm run recover' }

  expect(await whileServing({ capture }, whyCaptureIsDown)).toBe(
    'capture is down: the slot is gone. To bring it back: npm run recover',
  )
  expect(await whileServing({ capture: { ...capture, state: 'starting' } }, whyCaptureIsDown)).toBeUndefined()
})

test('where nothing runs, or it does not answer, they wait as they would', async () => {
  const gone = { pid: 1, endpoints: { endpoint: 'http://127.0.0.1:1' } as RunningEngine['endpoints'], outputs: {} }

  expect(await whyCaptureIsDown(undefined)).toBeUndefined()
  expect(await whyCaptureIsDown(gone)).toBeUndefined()
})
