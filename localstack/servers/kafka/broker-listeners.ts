import { join } from 'node:path'
import type { BrokerAccess, SaslMechanism } from '#localstack/broker-access.ts'
import { writePrivately } from '#localstack/private-file.ts'
import type { CertificateAuthority } from './certificate-authority.ts'

/** A user that logs in to the broker by name and password. */
export type BrokerUser = { name: string; password: string }

/** Where a broker listens on 127.0.0.1, and how clients prove there who they are. In plain text they do not. */
export type BrokerListener = { name: string; port: number } & (
  | { protocol: 'PLAINTEXT' }
  /** Clients show a certificate of the authority. */
  | { protocol: 'SSL' }
  /**
   * Clients log in by name and password over TLS. SCRAM users are in the broker's metadata; PLAIN users are listed
   * here.
   */
  | { protocol: 'SASL_SSL'; mechanisms: readonly SaslMechanism[]; plainUsers?: readonly BrokerUser[] }
)

/** The authority that issues a broker's certificate and that the broker trusts, and the place of its key. */
export type BrokerIdentity = {
  authority: CertificateAuthority
  /** Directory of the broker's key. Only the user may read it. */
  directory: string
}

/**
 * server.properties of the listeners. Listeners of controllers are not advertised to clients. TLS needs an identity.
 */
export async function listenerProperties(
  listeners: readonly BrokerListener[],
  identity?: BrokerIdentity,
): Promise<Record<string, string>> {
  const address = ({ name, port }: BrokerListener) => `${name}://127.0.0.1:${port}`
  return {
    listeners: listeners.map(address).join(','),
    'advertised.listeners': listeners
      .filter(({ name }) => name !== 'CONTROLLER')
      .map(address)
      .join(','),
    'listener.security.protocol.map': listeners.map(({ name, protocol }) => `${name}:${protocol}`).join(','),
    ...(identity && (await identityProperties(identity))),
    ...Object.assign({}, ...listeners.map(loginProperties)),
  }
}

/** How a broker logs in to the listener of another one. */
export function loginToOthers({ name }: Pick<BrokerListener, 'name'>, user: BrokerUser): Record<string, string> {
  return {
    'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-512',
    [`${prefixOf(name)}.scram-sha-512.sasl.jaas.config`]: scramLogin(user),
  }
}

/** The JAAS line with which a Java client logs in. */
export const scramLogin = ({ name, password }: BrokerUser): string =>
  `${SCRAM_MODULE} required username="${name}" password="${password}";`

/** Options of Kafka's storage tool that create the users, for both SCRAM mechanisms. */
export function scramOptions(users: readonly BrokerUser[]): string[] {
  return users.flatMap(({ name, password }) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name="${name}",password="${password}"]`,
    ]),
  )
}

/** How our own clients log in. */
export const scramAccess = ({ name: username, password }: BrokerUser, ca: string): BrokerAccess => ({
  sasl: { mechanism: 'SCRAM-SHA-512', username, password },
  tls: { ca },
})

/** Kafka's name for a client that shows a broker's certificate. */
export const BROKER_SUBJECT = 'CN=broker'

/** The file with the certificate authority that Java clients trust. */
export const authorityFile = (directory: string): string => join(directory, 'authority.pem')

const SCRAM_MODULE = 'org.apache.kafka.common.security.scram.ScramLoginModule'

const prefixOf = (listener: string): string => `listener.name.${listener.toLowerCase()}`

async function identityProperties({ authority, directory }: BrokerIdentity): Promise<Record<string, string>> {
  const { certificate, privateKey } = authority.issue('broker', ['127.0.0.1', 'localhost'])
  const keyFile = join(directory, 'broker.pem')
  await writePrivately(keyFile, `${privateKey}${certificate}`)
  await writePrivately(authorityFile(directory), authority.certificate)
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keyFile,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': authorityFile(directory),
  }
}

function loginProperties(listener: BrokerListener): Record<string, string> {
  const prefix = prefixOf(listener.name)
  if (listener.protocol === 'PLAINTEXT') return {}
  if (listener.protocol === 'SSL') return { [`${prefix}.ssl.client.auth`]: 'required' }
  const { mechanisms, plainUsers = [] } = listener
  const users = plainUsers.map(({ name, password }) => `user_${name}="${password}"`).join(' ')
  const modules = mechanisms.map((mechanism) => [
    `${prefix}.${mechanism.toLowerCase()}.sasl.jaas.config`,
    mechanism === 'PLAIN'
      ? `org.apache.kafka.common.security.plain.PlainLoginModule required ${users};`
      : `${SCRAM_MODULE} required;`,
  ])
  return { [`${prefix}.sasl.enabled.mechanisms`]: mechanisms.join(','), ...Object.fromEntries(modules) }
}
