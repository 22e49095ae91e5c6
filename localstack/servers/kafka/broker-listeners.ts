import { join } from 'node:path'
import type { BrokerAccess, SaslMechanism } from '#localstack/broker-access.ts'
import { writePrivately } from '#localstack/private-file.ts'
import type { CertificateAuthority } from './certificate-authority.ts'

/** Who logs in to the broker by name and password. */
export type BrokerUser = { name: string; password: string }

/** Where a broker listens on 127.0.0.1, and how who connects there proves who it is: not at all in plain text. */
export type BrokerListener = { name: string; port: number } & (
  | { protocol: 'PLAINTEXT' }
  /** By a certificate of the authority. */
  | { protocol: 'SSL' }
  /** By name and password over TLS. SCRAM users are in the broker's metadata; those of PLAIN are listed here. */
  | { protocol: 'SASL_SSL'; mechanisms: readonly SaslMechanism[]; plainUsers?: readonly BrokerUser[] }
)

/** What a broker shows who it is with, and whom it trusts. */
export type BrokerIdentity = {
  authority: CertificateAuthority
  /** For the broker's key; of the user alone. */
  directory: string
}

/** server.properties of the listeners; controllers' listeners are not told to clients. Needs an identity where there is TLS. */
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

/** How a broker logs in to another one's listener. */
export function loginToOthers({ name }: Pick<BrokerListener, 'name'>, user: BrokerUser): Record<string, string> {
  return {
    'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-512',
    [`${prefixOf(name)}.scram-sha-512.sasl.jaas.config`]: scramLogin(user),
  }
}

/** A line of JAAS by which a client of Java logs in. */
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

/** How a client of ours logs in. */
export const scramAccess = ({ name: username, password }: BrokerUser, ca: string): BrokerAccess => ({
  sasl: { mechanism: 'SCRAM-SHA-512', username, password },
  tls: { ca },
})

/** What Kafka calls who shows a broker's certificate. */
export const BROKER_SUBJECT = 'CN=broker'

/** Where what clients of Java trust is found. */
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
