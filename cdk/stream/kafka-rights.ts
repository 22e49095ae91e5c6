/** The users that log in to the brokers by name and password: Connect, the event source mappings, and four functions. */
export type KafkaUser = 'connect' | 'console' | 'delivery' | 'producer' | 'recovery' | 'windows'

/** What a user may do with something of the cluster, in Kafka's own words. */
export type KafkaRight = {
  user: KafkaUser
  resource: 'topic' | 'group' | 'transactional-id'
  name: string
  operations: readonly KafkaOperation[]
}

export type KafkaOperation = 'READ' | 'WRITE' | 'CREATE' | 'DESCRIBE' | 'DESCRIBE_CONFIGS'

/**
 * Metadata of the resource that associates the users: it lists their rights. The program that runs the template makes
 * rules of it.
 */
export const RIGHTS = 'tidemark:rights'
