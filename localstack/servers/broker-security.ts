import { join } from 'node:path'
import { writePrivately } from '#localstack/private-file.ts'
import type { CertificateAuthority } from './certificate-authority.ts'

/** Who logs in to the broker by name and password. */
export type BrokerUser = { name: string; password: string }

export type BrokerSecurity = {
  authority: CertificateAuthority
  /** SCRAM users are written when the broker's storage is formatted (`KafkaOptions.users`), PLAIN users here. */
  users: BrokerUser[]
  /** Where SASL over TLS is listened on, with the mechanisms SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN. */
  saslPort: number
  /** Where a client certificate of the authority is asked for instead. Absent: nowhere. */
  mutualTlsPort?: number
  /** For the broker's key; of the user alone. */
  directory: string
}

/** Adds listeners with TLS on 127.0.0.1 to server.properties, and writes the files they need. */
export async function secureListeners(
  properties: Record<string, string>,
  { authority, users, saslPort, mutualTlsPort, directory }: BrokerSecurity,
): Promise<Record<string, string>> {
  const { certificate, privateKey } = authority.issue('broker', ['127.0.0.1', 'localhost'])
  const keyFile = join(directory, 'broker.pem')
  const authorityFile = join(directory, 'authority.pem')
  await writePrivately(keyFile, `${privateKey}${certificate}`)
  await writePrivately(authorityFile, authority.certificate)

  const added = [`SECURE://127.0.0.1:${saslPort}`]
  if (mutualTlsPort !== undefined) added.push(`MUTUAL://127.0.0.1:${mutualTlsPort}`)
  const extend = (name: string, more: string[]) => ({ [name]: [properties[name], ...more].join(',') })
  const plainUsers = users.map(({ name, password }) => `user_${name}="${password}"`).join(' ')
  return {
    ...properties,
    ...extend('listeners', added),
    ...extend('advertised.listeners', added),
    ...extend('listener.security.protocol.map', ['SECURE:SASL_SSL', 'MUTUAL:SSL']),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keyFile,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': authorityFile,
    'listener.name.mutual.ssl.client.auth': 'required',
    'listener.name.secure.sasl.enabled.mechanisms': 'SCRAM-SHA-512,SCRAM-SHA-256,PLAIN',
    'listener.name.secure.scram-sha-512.sasl.jaas.config': scram,
    'listener.name.secure.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.secure.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${plainUsers};`,
  }
}

const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'

/** Options of Kafka's storage tool that create the users, for both SCRAM mechanisms. */
export function scramOptions(users: BrokerUser[]): string[] {
  return users.flatMap(({ name, password }) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name="${name}",password="${password}"]`,
    ]),
  )
}
