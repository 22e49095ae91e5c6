import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { RIGHTS } from '#cdk/stream/kafka-rights.ts'
import { writePrivately } from '#localstack/private-file.ts'
import { authorityFile } from '#localstack/servers/kafka/broker-listeners.ts'
import { setPasswords, setRights } from '#localstack/servers/kafka/broker-rights.ts'
import { type CertificateAuthority, makeCertificateAuthority } from '#localstack/servers/kafka/certificate-authority.ts'
import type { ClusterSecurity } from '#localstack/servers/kafka/kafka-cluster.ts'
import { bootstrapServers, type LocalAccount } from '../local-account.ts'
import { makeStandIn } from '../stand-in.ts'

const login = v.object({ username: v.string(), password: v.string() })

const rights = v.array(
  v.object({
    user: v.string(),
    resource: v.picklist(['topic', 'group', 'transactional-id']),
    name: v.string(),
    operations: v.array(v.picklist(['READ', 'WRITE', 'CREATE', 'DESCRIBE', 'DESCRIBE_CONFIGS'])),
  }),
)

/**
 * Creates a user for each listed secret, with the rights that the template gives it. Any other user that logs in has no
 * rights.
 */
export const batchScramSecret = makeStandIn({
  properties: { ClusterArn: v.string(), SecretArnList: v.array(v.string()) },
  bringUp: async (id, { ClusterArn, SecretArnList }, { settings, stack, secrets, administrators }) => {
    const access = administrators.get(ClusterArn)
    if (access === undefined) throw new Error(`${id}: the brokers of ${ClusterArn} take no names and passwords`)
    const brokers = { bootstrapBrokers: bootstrapServers(settings).split(','), access }
    const users = SecretArnList.map((arn) => {
      const { username: name, password } = v.parse(login, JSON.parse(secrets.get(arn) ?? '{}'))
      return { name, password }
    })
    await setPasswords(brokers, users)
    await setRights(brokers, v.parse(rights, stack.template.Resources[id]?.Metadata?.[RIGHTS] ?? []))
    return { ref: ClusterArn }
  },
})

/**
 * The certificate authority that all clients on this machine trust for the brokers, and the users that may do
 * everything.
 */
export async function openSecurity({ settings, secrets }: LocalAccount): Promise<ClusterSecurity> {
  const userOf = async (name: string) => ({
    name,
    password: await secrets.generated(`Kafka user ${name}`, { PasswordLength: 40, ExcludePunctuation: true }),
  })
  return {
    authority: await openAuthority(settings.directory),
    brokers: await userOf('brokers'),
    administrator: await userOf('administrator'),
  }
}

/**
 * Opens the certificate authority, which the first run makes. Its certificate is written to the file where clients find
 * it.
 */
async function openAuthority(directory: string): Promise<CertificateAuthority> {
  const file = join(directory, 'authority.json')
  const known = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  const authority = makeCertificateAuthority('Tidemark local', known === undefined ? undefined : JSON.parse(known))
  const { certificate, privateKey } = authority
  await writePrivately(file, JSON.stringify({ certificate, privateKey }))
  await writePrivately(authorityFile(directory), certificate)
  return authority
}
