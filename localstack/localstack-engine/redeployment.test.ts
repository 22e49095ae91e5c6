import { expect, onTestFinished, test, vi } from 'vitest'
import type { ServiceHealth } from '#localstack/processes/supervise.ts'
import { eventually } from '#test-support/eventually.ts'
import { redeployAfterRestarts } from './redeployment.ts'

function watch(deploy: () => Promise<void>) {
  const health: ServiceHealth = { name: 'localstack', state: 'healthy', restarts: 0 }
  const failures: string[] = []
  const end = redeployAfterRestarts({
    server: { health: () => health },
    deploy,
    onFailure: ({ message }) => failures.push(message),
    signal: new AbortController().signal,
  })
  onTestFinished(end)
  return { health, failures }
}

test('what was deployed is deployed again once LocalStack answers after a restart, and only then', async () => {
  const deploy = vi.fn(async () => undefined)
  const { health } = watch(deploy)

  Object.assign(health, { state: 'restarting', restarts: 1 })
  await new Promise(setImmediate)
  const whileAway = deploy.mock.calls.length
  health.state = 'healthy'

  await eventually(() => expect(deploy).toHaveBeenCalled())
  expect([whileAway, deploy.mock.calls.length]).toEqual([0, 1])
})

test('a deployment that fails is tried again', async () => {
  const deploy = vi.fn(async () => undefined).mockRejectedValueOnce(new Error('cdk bootstrap ended with exit code 1'))
  const { health, failures } = watch(deploy)

  health.restarts = 1

  await eventually(() => expect(deploy).toHaveBeenCalledTimes(2))
  expect(failures).toEqual(['cdk bootstrap ended with exit code 1'])
})
