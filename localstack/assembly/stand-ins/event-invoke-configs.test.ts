import { expect, test, vi } from 'vitest'
import type { LocalAccount } from '../local-account.ts'
import { eventInvokeConfig } from './event-invoke-configs.ts'

// Source: AWS CloudFormation template reference, "AWS::Lambda::EventInvokeConfig".

const destination = 'arn:aws:lambda:us-east-1:000000000000:function:failures'

function bringUp(properties: object) {
  const configureEvents = vi.fn()
  const account = { functions: { configureEvents }, stack: { name: 'tidemark-local' } } as unknown as LocalAccount
  const physical = eventInvokeConfig.bringUp('Config', { Qualifier: '$LATEST', ...properties }, account)
  return { configureEvents, physical }
}

test('settings of the template are applied to the function that it names by name or ARN', () => {
  const { configureEvents, physical } = bringUp({
    FunctionName: 'arn:aws:lambda:us-east-1:000000000000:function:worker',
    MaximumRetryAttempts: 0,
    MaximumEventAgeInSeconds: '3600',
    DestinationConfig: { OnFailure: { Destination: destination } },
  })

  expect(configureEvents).toHaveBeenCalledWith('worker', {
    maximumRetryAttempts: 0,
    maximumEventAgeSeconds: 3600,
    onFailure: destination,
  })
  expect(physical).toEqual({ ref: 'tidemark-local-Config' })
})

test('what it leaves out is left to the function host', () => {
  expect(bringUp({ FunctionName: 'worker' }).configureEvents).toHaveBeenCalledWith('worker', {})
})

test('an alias is refused: there is no other version', () => {
  expect(() => bringUp({ FunctionName: 'worker', Qualifier: 'live' })).toThrow(
    'Config.Properties.Qualifier: functions have the version $LATEST only here',
  )
})
