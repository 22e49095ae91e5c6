import { timingSafeEqual } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import { Sha256 } from '#adapters/aws/sha256.ts'
import type { SigningKey } from '#localstack/stack-key.ts'
import { headerOf, type Request } from './exchange.ts'

/** Source: AWS General Reference, "Signature Version 4": the largest allowed difference between two clocks. */
const CLOCK_SKEW_MS = 15 * 60_000

/**
 * Whether a request is signed with the key, by Signature Version 4 in its headers. The request is signed again, and the
 * two signatures are compared. This does not work for S3, whose paths are signed in another way.
 */
export async function isSignedWith(key: SigningKey, request: Request, now = Date.now()): Promise<boolean> {
  const parts = /^AWS4-HMAC-SHA256 (.*)$/.exec(headerOf(request, 'authorization') ?? '')?.[1]
  const fields = new Map((parts ?? '').split(/,\s*/).map((part) => part.split('=', 2) as [string, string]))
  const [accessKeyId, , region, service] = (fields.get('Credential') ?? '').split('/')
  const signedHeaders = (fields.get('SignedHeaders') ?? '').split(';')
  const signingDate = dateOf(headerOf(request, 'x-amz-date'))
  if (accessKeyId !== key.accessKeyId || !region || !service || signingDate === undefined) return false
  // The host has to be signed. Otherwise a request that was signed for another server could be sent here.
  if (!signedHeaders.includes('host') || Math.abs(signingDate.getTime() - now) > CLOCK_SKEW_MS) return false

  const signer = new SignatureV4({ service, region, credentials: key, sha256: Sha256, applyChecksum: false })
  const headers = Object.fromEntries(signedHeaders.map((name) => [name, headerOf(request, name) ?? '']))
  const again = await signer.sign(
    {
      ...{ method: request.method, protocol: 'http:', hostname: '127.0.0.1', path: pathAsSent(request), headers },
      query: queryOf(request),
      body: request.body,
    },
    { signingDate, signableHeaders: new Set(signedHeaders) },
  )
  return isEqual(again.headers['authorization'] ?? '', fields.get('Signature') ?? '')
}

const pathAsSent = ({ path }: Request): string => path.split('/').map(encodeURIComponent).join('/')

function queryOf({ query }: Request): Record<string, string | string[]> {
  return Object.fromEntries(
    [...new Set(query.keys())].map((name) => {
      const values = query.getAll(name)
      return [name, values.length === 1 ? values[0]! : values]
    }),
  )
}

/** Parses a time such as `20261129T104205Z`; undefined when the text is none. */
function dateOf(text = ''): Date | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(date.getTime()) ? undefined : date
}

function isEqual(authorization: string, signature: string): boolean {
  const expected = Buffer.from(/Signature=([0-9a-f]{64})$/.exec(authorization)?.[1] ?? '')
  const given = Buffer.from(signature)
  return expected.length > 0 && expected.length === given.length && timingSafeEqual(expected, given)
}
