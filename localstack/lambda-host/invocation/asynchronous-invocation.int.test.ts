import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { eventually } from '#test-support/eventually.ts'
import { useHostedFunctions } from '#test-support/functions/hosted-functions.ts'
import type { ServiceMessage } from './invocation-record.ts'

// Source, unless a test names another: AWS Lambda developer guide, "Invoking a Lambda function asynchronously" and its
// pages.

const delivered: ServiceMessage[] = []
const hosted = useHostedFunctions({
  destinations: {
    reaches: (service) => service === 's3',
    deliver: async (message) => void delivered.push(message),
    close: async () => undefined,
  },
})
const { add } = hosted

const arnOf = (name: string) => `arn:aws:lambda:eu-central-1:000000000000:function:${name}`

const send = (name: string, event: unknown, requestId?: string) =>
  hosted.host.invoke(name, Buffer.from(JSON.stringify(event)), { type: 'Event', ...(requestId && { requestId }) })

/** A function that writes down its events. It throws when the event says so. */
const recorder = `import { appendFileSync } from 'node:fs'
  export const handler = async (event, { awsRequestId }) => {
    appendFileSync('calls', JSON.stringify({ event, awsRequestId }) + '\\n')
    if (event.fail) throw new RangeError('as asked')
    return 'done' }`

async function callsIn(codeDirectory: string, count: number): Promise<{ event: never; awsRequestId: string }[]> {
  return eventually(async () => {
    const lines = (await readFile(`${codeDirectory}/calls`, 'utf8')).trim().split('\n')
    expect(lines.length).toBeGreaterThanOrEqual(count)
    return lines.map((line) => JSON.parse(line))
  })
}

test('an Event is answered at once with 202, waits for concurrency, and is tried three times under one id', async () => {
  const codeDirectory = await add('counter', recorder, { reservedConcurrency: 1 })

  for (const n of ['a', 'b', 'c']) {
    const answer = await send('counter', { n, fail: n === 'b' })
    expect(answer).toMatchObject({ statusCode: 202, payload: Buffer.alloc(0) })
  }

  await eventually(() => expect(hosted.lines.join()).toContain('event discarded, the function failed 3 times'))
  const calls = await callsIn(codeDirectory, 5)
  const ids = (n: string) => calls.filter(({ event }) => event['n'] === n).map(({ awsRequestId }) => awsRequestId)
  expect([ids('a').length, ids('b').length, ids('c').length]).toEqual([1, 3, 1])
  expect(new Set(ids('b')).size).toBe(1)
})

// Source: AWS Lambda API reference, "Invoke": for synchronous invocations only.
test('an Event comes without a client context', async () => {
  const source = `import { writeFileSync } from 'node:fs'
    export const handler = async (_, context) => writeFileSync('calls', JSON.stringify({ event: String(context.clientContext) }))`
  const codeDirectory = await add('context', source)

  await hosted.host.invoke('context', Buffer.from('{}'), { type: 'Event', clientContext: '{"custom":{"a":1}}' })

  expect((await callsIn(codeDirectory, 1))[0]!.event).toBe('undefined')
})

// Source: AWS Lambda developer guide, "Lambda quotas": 1 MB for asynchronous invocations since October 2025.
test('an Event of 1 MB is taken, a larger one is refused', async () => {
  const codeDirectory = await add('large', recorder)
  const frame = JSON.stringify({ text: '' }).length
  const limit = 1024 * 1024

  expect(await send('large', { text: 'x'.repeat(limit - frame) })).toMatchObject({ statusCode: 202 })
  const refused = await send('large', { text: 'x'.repeat(limit - frame + 1) })

  expect(refused).toMatchObject({ statusCode: 413, errorType: 'RequestEntityTooLargeException' })
  expect(JSON.parse(refused.payload.toString()).message).toBe(
    '1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)',
  )
  await callsIn(codeDirectory, 1)
})

// Source: the same guide, "Capturing records of Lambda asynchronous invocations".
test('the record of a success goes to the function that is the destination', async () => {
  await add('worker', recorder)
  const codeDirectory = await add('successes', recorder)
  hosted.host.configureEvents('worker', { onSuccess: arnOf('successes') })

  await send('worker', { n: 1 }, '1b2c')

  const [call] = await callsIn(codeDirectory, 1)
  expect(call!.event).toEqual({
    version: '1.0',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    requestContext: {
      requestId: '1b2c',
      functionArn: `${arnOf('worker')}:$LATEST`,
      condition: 'Success',
      approximateInvokeCount: 1,
    },
    requestPayload: { n: 1 },
    responseContext: { statusCode: 200, executedVersion: '$LATEST' },
    responsePayload: 'done',
  })
})

test('the record of an event that failed goes to its destination after the retries that are set', async () => {
  await add('worker', recorder)
  const codeDirectory = await add('failures', recorder)
  hosted.host.configureEvents('worker', { onFailure: arnOf('failures'), maximumRetryAttempts: 1 })

  await send('worker', { fail: true })

  const [call] = await callsIn(codeDirectory, 1)
  expect(call!.event).toMatchObject({
    requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 2 },
    responseContext: { functionError: 'Unhandled' },
    responsePayload: { errorType: 'RangeError', errorMessage: 'as asked' },
  })
})

test('with a reserved concurrency of 0 the event goes to the destination, unseen by the function', async () => {
  await add('none', recorder, { reservedConcurrency: 0 })
  const codeDirectory = await add('failures', recorder)
  hosted.host.configureEvents('none', { onFailure: arnOf('failures') })

  expect(await send('none', {})).toMatchObject({ statusCode: 202 })

  const [call] = await callsIn(codeDirectory, 1)
  expect(call!.event).toMatchObject({
    requestContext: { condition: 'ZeroReservedConcurrency', approximateInvokeCount: 0 },
  })
})

test('records for services are handed to what delivers there; a service that nothing reaches is refused', async () => {
  await add('worker', recorder)
  hosted.host.configureEvents('worker', { onFailure: 'arn:aws:s3:::failures', maximumRetryAttempts: 0 })

  await send('worker', { fail: true })

  await eventually(() => expect(delivered).toHaveLength(1))
  expect(delivered[0]).toMatchObject({
    service: 's3',
    arn: 'arn:aws:s3:::failures',
    body: expect.stringContaining('as asked'),
  })
  expect(() => hosted.host.configureEvents('worker', { onSuccess: 'arn:aws:sqs:eu-central-1:1:q' })).toThrow(
    'function worker: no destination such as arn:aws:sqs:eu-central-1:1:q can be reached here: use a function as the destination',
  )
})

// AWS counts such a record in the metric DestinationDeliveryFailures; here it is in the function's log.
test('a record that cannot be delivered is in the log', async () => {
  await add('worker', recorder)
  hosted.host.configureEvents('worker', { onSuccess: arnOf('nobody') })

  await send('worker', {})

  await eventually(() => expect(hosted.lines.join('\n')).toMatch(/could not be delivered to .*:nobody: .*not found/))
})
