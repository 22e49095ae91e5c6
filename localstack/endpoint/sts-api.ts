import { randomUUID } from 'node:crypto'
import type { Service } from './exchange.ts'

/** STS's GetCallerIdentity. Every caller is the account itself. */
export function makeStsApi(account: string): Service {
  return ({ method, headers, body }) => {
    const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false
    if (method !== 'POST' || !isForm) return undefined
    if (new URLSearchParams(body.toString()).get('Action') !== 'GetCallerIdentity') return undefined
    const identity = `<Arn>arn:aws:iam::${account}:root</Arn><UserId>${account}</UserId><Account>${account}</Account>`
    return {
      status: 200,
      headers: { 'Content-Type': 'text/xml' },
      body: `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>${identity}</GetCallerIdentityResult><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
    }
  }
}
