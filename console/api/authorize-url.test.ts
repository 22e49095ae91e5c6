import { expect, test } from 'vitest'
import { authorizeUrl } from './authorize-url.ts'

test('a sign-in names the page that it comes back to, and proves by a challenge who began it', () => {
  const signIn = { url: 'https://tidemark-dev-1.auth.us-east-1.amazoncognito.com', clientId: 'abc' }

  const url = new URL(authorizeUrl(signIn, 'https://d1.cloudfront.net', 'state-1', 'challenge-1'))

  expect(url.origin + url.pathname).toBe(`${signIn.url}/oauth2/authorize`)
  expect(Object.fromEntries(url.searchParams)).toEqual({
    response_type: 'code',
    client_id: 'abc',
    redirect_uri: 'https://d1.cloudfront.net/',
    scope: 'openid email',
    state: 'state-1',
    code_challenge: 'challenge-1',
    code_challenge_method: 'S256',
  })
})
