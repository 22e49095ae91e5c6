import type { BrokerAccess, SaslMechanism } from '#localstack/broker-access.ts'
import type { AccessType, SourceAccess } from '../definition/event-source.ts'

/** Returns a secret's text. */
export type ReadSecret = (arn: string) => Promise<string>

const mechanisms: Partial<Record<AccessType, SaslMechanism>> = {
  BASIC_AUTH: 'PLAIN',
  SASL_SCRAM_256_AUTH: 'SCRAM-SHA-256',
  SASL_SCRAM_512_AUTH: 'SCRAM-SHA-512',
}

/**
 * Reads the secrets of SourceAccessConfigurations. Their values replace those of `otherwise`. Throws an Error that
 * names the secret and what it lacks, but never a value.
 * Source: AWS, "Configuring cluster authentication methods in Lambda", has the shapes of the secrets.
 */
export async function readBrokerAccess(
  access: SourceAccess[],
  readSecret: ReadSecret | undefined,
  otherwise: BrokerAccess = {},
): Promise<BrokerAccess> {
  let read = otherwise
  for (const { type, secretArn } of access) {
    if (readSecret === undefined) throw new Error(`${type} needs secret ${secretArn}, but no secrets can be read here`)
    const secret = parseSecret(await readSecret(secretArn), secretArn)
    const given = describe(type, (name) => field(secret, name, secretArn), secret['privateKeyPassword'])
    // `tls` is always set, because Lambda sends credentials over TLS only.
    read = { ...read, ...given, tls: { ...read.tls, ...given.tls } }
  }
  return read
}

function describe(type: AccessType, get: (name: string) => string, passphrase: unknown): BrokerAccess {
  const mechanism = mechanisms[type]
  if (mechanism !== undefined) return { sasl: { mechanism, username: get('username'), password: get('password') } }
  if (type === 'SERVER_ROOT_CA_CERTIFICATE') return { tls: { ca: get('certificate') } }
  const client = { cert: get('certificate'), key: get('privateKey') }
  return { tls: { ...client, ...(typeof passphrase === 'string' && { passphrase }) } }
}

function parseSecret(text: string, arn: string): Record<string, unknown> {
  try {
    // A certificate that was pasted into a secret, as in AWS's examples, contains line ends, which JSON does not allow.
    return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"/gs, (string) => string.replace(/\r?\n/g, '\\n')))
  } catch {
    // The parser's error is not the cause, because its message would quote the secret.
    throw new Error(`secret ${arn} is not JSON`)
  }
}

function field(secret: Record<string, unknown>, name: string, arn: string): string {
  const value = secret[name]
  if (typeof value === 'string' && value !== '') return value
  throw new Error(`secret ${arn} has no ${name}`)
}
