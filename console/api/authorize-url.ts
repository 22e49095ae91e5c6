/** Where the users of a console on AWS sign in, as `/sign-in.json` has it. A console on a laptop has no such file. */
export type SignIn = { readonly url: string; readonly clientId: string }

/** The address at which the user pool asks for name, password and second factor, and from which it comes back. */
export function authorizeUrl({ url, clientId }: SignIn, origin: string, state: string, challenge: string): string {
  const query = new URLSearchParams({
    ...{ response_type: 'code', client_id: clientId, redirect_uri: `${origin}/`, scope: 'openid email', state },
    ...{ code_challenge: challenge, code_challenge_method: 'S256' },
  })
  return `${url}/oauth2/authorize?${query}`
}
