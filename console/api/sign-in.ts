import { authorizeUrl, type SignIn } from './authorize-url.ts'

/** What is kept in this tab only, from one load of the page to the next. */
type Kept = { readonly verifier: string; readonly state: string; readonly path: string }
type Tokens = { readonly id: string; readonly refresh: string | null }

const [KEPT, TOKENS] = ['tidemark-sign-in', 'tidemark-tokens']

let signIn: SignIn | null = null

/**
 * Reads where users sign in, and ends a sign-in that was begun. It resolves with false if the browser leaves the page to
 * sign in.
 */
export async function prepareSignIn(): Promise<boolean> {
  signIn = await readSignIn()
  if (signIn === null) return true
  await endSignIn(signIn)
  if (tokens() !== null) return true
  await beginSignIn(signIn)
  return false
}

/** Asks the API as the user who has signed in. A user whose time is over gets a new one, or signs in again. */
export async function fetchSignedIn(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, withUser(init))
  if (response.status !== 401 || signIn === null) return response
  if (await renew(signIn)) return fetch(url, withUser(init))
  await beginSignIn(signIn)
  return response
}

function withUser(init: RequestInit): RequestInit {
  const known = tokens()
  if (known === null) return init
  const headers = new Headers(init.headers)
  headers.set('authorization', `Bearer ${known.id}`)
  return { ...init, headers }
}

async function readSignIn(): Promise<SignIn | null> {
  const response = await fetch('/sign-in.json').catch(() => null)
  // A server without the file answers with the page itself.
  if (response?.headers.get('content-type')?.startsWith('application/json') !== true) return null
  return response.ok ? ((await response.json()) as SignIn) : null
}

async function beginSignIn(to: SignIn): Promise<void> {
  const kept: Kept = { verifier: randomText(), state: randomText(), path: location.pathname + location.search }
  sessionStorage.setItem(KEPT, JSON.stringify(kept))
  sessionStorage.removeItem(TOKENS)
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(kept.verifier))
  location.assign(authorizeUrl(to, location.origin, kept.state, base64Url(new Uint8Array(digest))))
}

/** The state has to be the one that this tab has sent, so that no other page can sign a user in as somebody else. */
async function endSignIn(to: SignIn): Promise<void> {
  const query = new URLSearchParams(location.search)
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null') as Kept | null
  const code = query.get('code')
  if (code === null || kept === null || query.get('state') !== kept.state) return
  sessionStorage.removeItem(KEPT)
  const redirect = { redirect_uri: `${location.origin}/`, code, code_verifier: kept.verifier }
  await askTokens(to, { grant_type: 'authorization_code', ...redirect })
  history.replaceState(null, '', kept.path)
}

async function renew(to: SignIn): Promise<boolean> {
  const refresh = tokens()?.refresh
  return refresh ? askTokens(to, { grant_type: 'refresh_token', refresh_token: refresh }) : false
}

async function askTokens({ url, clientId }: SignIn, asked: Record<string, string>): Promise<boolean> {
  const body = new URLSearchParams({ client_id: clientId, ...asked })
  const response = await fetch(`${url}/oauth2/token`, { method: 'POST', body }).catch(() => null)
  if (response?.ok !== true) return false
  const answer = (await response.json()) as { id_token: string; refresh_token?: string }
  const kept: Tokens = { id: answer.id_token, refresh: answer.refresh_token ?? tokens()?.refresh ?? null }
  sessionStorage.setItem(TOKENS, JSON.stringify(kept))
  return true
}

const tokens = (): Tokens | null => JSON.parse(sessionStorage.getItem(TOKENS) ?? 'null') as Tokens | null

const randomText = (): string => base64Url(crypto.getRandomValues(new Uint8Array(32)))

const base64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
