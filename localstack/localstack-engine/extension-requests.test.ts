import { expect, test } from 'vitest'
import type { Request } from '#localstack/endpoint/exchange.ts'
import { forExtension } from './extension-requests.ts'

const ask = (headers: Request['headers'], path = '/_tidemark/localstack/resources'): Request => ({
  ...{ method: 'POST', path, headers, query: new URLSearchParams(), body: Buffer.from('{}') },
})

test('a question of LocalStack is answered only where the request has its token', async () => {
  const service = forExtension('the token', () => ({ status: 200 }))

  const answers = [
    await service(ask({ 'tidemark-engine-token': 'the token' })),
    await service(ask({ 'tidemark-engine-token': 'another' })),
    await service(ask({})),
    await service(ask({}, '/2015-03-31/functions')),
  ]

  expect(answers.map((answer) => answer?.status)).toEqual([200, 403, 403, undefined])
})
