import type { ListEventSourceMappingsCommand } from '@aws-sdk/client-lambda'
import { expect, test } from 'vitest'
import { makeMappingHealth } from './mapping-health.ts'

const mapping = (Topics: string[], State: string, LastProcessingResult?: string) => ({
  FunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:tidemark-dev-apply-latest-state',
  ...{ Topics, State, LastProcessingResult },
})

test('each topic of each mapping has a state, and the error of the last batch', async () => {
  const pages = [
    { EventSourceMappings: [mapping(['changes'], 'Enabled', 'OK')], NextMarker: 'more' },
    { EventSourceMappings: [mapping(['user-events'], 'Disabled', 'PROBLEM: Function call failed')] },
  ]
  const asked: unknown[] = []
  const send = async ({ input }: ListEventSourceMappingsCommand) => {
    asked.push(input)
    return pages[asked.length - 1]
  }

  const health = await makeMappingHealth(['tidemark-dev-apply-latest-state'], { send: send as never })()

  expect(asked).toEqual([
    { FunctionName: 'tidemark-dev-apply-latest-state' },
    { FunctionName: 'tidemark-dev-apply-latest-state', Marker: 'more' },
  ])
  expect(health).toEqual([
    { functionName: expect.stringContaining(':tidemark-dev-'), topic: 'changes', state: 'Enabled' },
    { functionName: expect.any(String), topic: 'user-events', state: 'Disabled', lastError: 'Function call failed' },
  ])
})
