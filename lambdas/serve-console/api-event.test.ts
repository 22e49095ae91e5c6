import { expect, test } from 'vitest'
import { type ApiEvent, answerOf, requestOf } from './api-event.ts'

const event = (more: Partial<ApiEvent> = {}, authorizer: ApiEvent['requestContext']['authorizer'] = iam): ApiEvent => ({
  rawPath: '/api/v1/tables/public.orders',
  rawQueryString: '',
  headers: {},
  ...more,
  requestContext: { http: { method: 'GET' }, ...(authorizer && { authorizer }) },
})
const iam = { iam: { userArn: 'arn:aws:sts::123456789012:assumed-role/Operator/ada' } }

test('the user is the caller that IAM has authenticated, or the one whom the token names', () => {
  expect(requestOf(event())?.who).toBe('arn:aws:sts::123456789012:assumed-role/Operator/ada')
  expect(requestOf(event({}, { jwt: { claims: { sub: '1', email: 'ada@example.com' } } }))?.who).toBe('ada@example.com')
  expect(requestOf(event({}, { jwt: { claims: { sub: '1', username: 'ada' } } }))?.who).toBe('ada')
})

test('without an authorizer nothing is answered', () => {
  expect(requestOf({ ...event(), requestContext: { http: { method: 'GET' } } })).toBeUndefined()
  expect(requestOf(event({}, { iam: null, jwt: { claims: { email: '' } } }))).toBeUndefined()
})

test('path, query and body come as they were sent, whether the path was decoded on the way or not', () => {
  const request = requestOf(event({ rawPath: '/api/v1/tables/a%2Fb', rawQueryString: 'limit=3&search=%C3%A4' }))!

  expect([request.path, request.query.get('search')]).toEqual(['/tables/a%2Fb', 'ä'])
  expect(requestOf(event({ rawPath: '/api/v1/tables/public.100%' }))!.path).toBe('/tables/public.100%25')
  expect(requestOf(event({ body: 'eyJhIjoxfQ==', isBase64Encoded: true }))!.body).toBe('{"a":1}')
  expect(requestOf(event({ body: '{}' }))!.body).toBe('{}')
  expect(requestOf(event())!.body).toBeNull()
})

test('no cache keeps an answer that does not allow it', () => {
  const answer = answerOf({ status: 200, headers: { 'content-type': 'application/json' }, body: '{}' })

  expect(answer).toMatchObject({ statusCode: 200, body: '{}', isBase64Encoded: false })
  expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
})
