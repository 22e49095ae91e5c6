import { defaultProvider } from '@aws-sdk/credential-provider-node'
import { SignatureV4 } from '@smithy/signature-v4'
import { Sha256 } from '#adapters/aws/sha256.ts'

/** A request in the form in which it will be sent: the path of the URL is encoded once. */
export type UnsignedRequest = {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/**
 * Returns the headers to send, including the signature. Throws if there are no credentials, before anything is sent.
 */
export type RequestSigner = (request: UnsignedRequest) => Promise<Record<string, string>>

export type SignerOptions = {
  readonly service: 's3tables' | 'glue' | 'execute-api'
  readonly region: string
  /** By default, the credentials of the function's role. */
  readonly credentials?: ConstructorParameters<typeof SignatureV4>[0]['credentials']
  readonly now?: () => Date
}

/** Signs requests with AWS Signature Version 4. */
export function makeRequestSigner({
  service,
  region,
  credentials = defaultProvider(),
  now = () => new Date(),
}: SignerOptions): RequestSigner {
  // For every service except S3, the path is encoded once more before it is signed: %3A of an ARN is signed as %253A.
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256, uriEscapePath: true })
  return async ({ method, url, headers, body }) => {
    const signed = await signer.sign(
      {
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { ...headers, host: url.host },
        ...(body === undefined ? {} : { body }),
      },
      { signingDate: now() },
    )
    const { host: _sentByFetch, ...rest } = signed.headers
    return rest
  }
}
