import { pbkdf2Sync, randomBytes } from 'node:crypto'
import {
  type Acl,
  AclOperations,
  AclPermissionTypes,
  Admin,
  alterUserScramCredentialsV0,
  Connection,
  ResourcePatternTypes,
  ResourceTypes,
} from '@platformatic/kafka'
import type { BrokerAccess } from '#localstack/broker-access.ts'
import type { BrokerUser } from './broker-listeners.ts'

/** What a user may do with something of the cluster, in Kafka's own words. */
export type Right = {
  user: string
  resource: keyof typeof RESOURCES
  name: string
  operations: readonly (keyof typeof AclOperations)[]
}

/** Brokers, and the login of a user that may do everything. */
export type Administration = { bootstrapBrokers: string[]; access: BrokerAccess }

const SCRAM_SHA_512 = 2
const SCRAM_ITERATIONS = 4096

/**
 * Sets the password of each user, which may be a new one. Passwords are sent salted and hashed, as Kafka keeps them.
 */
export async function setPasswords(to: Administration, users: readonly BrokerUser[]): Promise<void> {
  const credentials = users.map(({ name, password }) => {
    const salt = randomBytes(32)
    const saltedPassword = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 64, 'sha512')
    return { name, mechanism: SCRAM_SHA_512, iterations: SCRAM_ITERATIONS, salt, saltedPassword }
  })
  const [host, port] = to.bootstrapBrokers[0]!.split(':') as [string, string]
  const connection = new Connection('tidemark-engine', { connectTimeout: 5_000, ...to.access })
  try {
    await connection.connect(host, Number(port))
    await alterUserScramCredentialsV0.api.async(connection, [], credentials)
  } finally {
    await connection.close()
  }
}

/** Makes these the only rights: all others are removed. */
export async function setRights({ bootstrapBrokers, access }: Administration, rights: readonly Right[]): Promise<void> {
  const admin = new Admin({ clientId: 'tidemark-engine', bootstrapBrokers, ...access })
  const wanted = rights.flatMap(rulesOf)
  try {
    const present = (await admin.describeAcls({ filter: EVERY_RULE })).flatMap(({ acls, ...resource }) =>
      acls.map((acl) => ({ ...resource, ...acl })),
    )
    await admin.createAcls({ creations: wanted })
    const names = new Set(wanted.map(nameOf))
    const others = present.filter((rule) => !names.has(nameOf(rule)))
    if (others.length > 0) await admin.deleteAcls({ filters: others })
  } finally {
    await admin.close()
  }
}

const EVERY_RULE = {
  resourceType: ResourceTypes.ANY,
  resourceName: null,
  resourcePatternType: ResourcePatternTypes.ANY,
  principal: null,
  host: null,
  operation: AclOperations.ANY,
  permissionType: AclPermissionTypes.ANY,
}

const RESOURCES = {
  topic: ResourceTypes.TOPIC,
  group: ResourceTypes.GROUP,
  'transactional-id': ResourceTypes.TRANSACTIONAL_ID,
} as const

const rulesOf = ({ user, resource, name, operations }: Right): Acl[] =>
  [...new Set(operations)].map((operation) => ({
    resourceType: RESOURCES[resource],
    resourceName: name,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: AclOperations[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }))

const nameOf = (rule: Acl): string =>
  [rule.resourceType, rule.resourceName, rule.resourcePatternType, rule.principal, rule.host, rule.operation].join(' ')
