import { expect, test } from 'vitest'
import { makeCustomResourceAnswers } from './custom-resource-answers.ts'
import type { Request } from './exchange.ts'

const put = (token: string, body: string): Request => ({
  method: 'PUT',
  path: `/cloudformation/response/${token}`,
  query: new URLSearchParams(),
  headers: {},
  body: Buffer.from(body),
})

const answerOf = async (body: string) => {
  const answers = makeCustomResourceAnswers()
  answers.service(put('t', body))
  return answers.await('t', 1000)
}

test('an answer reaches the caller that waits for its token, whether the caller waited before or after it came', async () => {
  const answers = makeCustomResourceAnswers()
  const body = JSON.stringify({ Status: 'SUCCESS', PhysicalResourceId: 'p', Data: { Port: 1 } })
  const early = answers.await('early', 1000)

  expect(answers.service(put('early', body))).toEqual({ status: 200 })
  answers.service(put('late', body))

  const expected = { status: 'SUCCESS', physicalResourceId: 'p', data: { Port: 1 } }
  expect(await early).toEqual(expected)
  expect(await answers.await('late', 1000)).toEqual(expected)
})

test('a failure carries its reason', async () => {
  const body = JSON.stringify({ Status: 'FAILED', PhysicalResourceId: 'p', Reason: 'no connector' })

  expect(await answerOf(body)).toEqual({ status: 'FAILED', physicalResourceId: 'p', reason: 'no connector', data: {} })
})

test('waiting ends, and says how long it was', async () => {
  await expect(makeCustomResourceAnswers().await('t', 20)).rejects.toThrow('did not answer within 0 s')
})

test.each([
  ['not JSON', '{', /^Invalid Response object: /],
  ['without a status', '{"PhysicalResourceId":"p"}', 'Invalid Response object: Status is not SUCCESS or FAILED'],
  ['without an id', '{"Status":"SUCCESS"}', 'Invalid PhysicalResourceId'],
  [
    'of more than 4096 bytes',
    JSON.stringify({ Status: 'SUCCESS', PhysicalResourceId: 'p', Data: { a: 'x'.repeat(4096) } }),
    'Response object is too long.',
  ],
])('an answer %s is a failure, as for CloudFormation', async (_, body, reason) => {
  expect(await answerOf(body)).toMatchObject({ status: 'FAILED', reason: expect.stringMatching(reason) })
})
