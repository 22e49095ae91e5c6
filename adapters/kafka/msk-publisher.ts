import { GetBootstrapBrokersCommand, KafkaClient } from '@aws-sdk/client-kafka'
import { type FencedProducer, makeFencedProducer } from './fenced-producer.ts'
import {
  type KafkaAuthentication,
  openRecordPublisher,
  type RecordPublisher,
  type RecordPublisherOptions,
} from './record-publisher.ts'

export type MskPublisherOptions = {
  clusterArn: string
  authentication: KafkaAuthentication
  topic: string
  /** Returns the name and password of `scram`. */
  readLogin?: RecordPublisherOptions['readLogin']
}

/**
 * Opens publishers to a topic of an MSK cluster. Each opening asks AWS for the brokers, and waits for them for 20 s at
 * most.
 */
export function mskPublisher(
  { clusterArn, authentication, topic, readLogin }: MskPublisherOptions,
  aws: Pick<KafkaClient, 'send'> = new KafkaClient(),
): () => Promise<RecordPublisher> {
  const region = regionOf(clusterArn)
  return async () => {
    const brokers = await bootstrapBrokers(aws, clusterArn, authentication)
    const login = readLogin === undefined ? {} : { readLogin }
    return openRecordPublisher({
      ...login,
      brokers,
      authentication,
      region,
      topic,
      clientId: 'tidemark',
      waitMs: 20_000,
    })
  }
}

export type MskFencedProducersOptions = Omit<MskPublisherOptions, 'topic'> & {
  /** With the name of the topic behind it, the transactional id of the producer. */
  idPrefix: string
}

/**
 * The fenced producers of an MSK cluster, one for each topic, which are made when they are first asked for and stay.
 * Brokers that do not answer are waited for for 5 s at most: what is not published now is published later.
 */
export function mskFencedProducers(
  { clusterArn, authentication, readLogin, idPrefix }: MskFencedProducersOptions,
  aws: Pick<KafkaClient, 'send'> = new KafkaClient(),
): (topic: string) => FencedProducer {
  const producers = new Map<string, FencedProducer>()
  const brokers = async () => ({
    ...(readLogin === undefined ? {} : { readLogin }),
    brokers: await bootstrapBrokers(aws, clusterArn, authentication),
    authentication,
    region: regionOf(clusterArn),
    clientId: 'tidemark',
    waitMs: 5_000,
    requestTimeoutMs: 10_000,
  })
  return (topic) => {
    const known = producers.get(topic)
    if (known !== undefined) return known
    const made = makeFencedProducer({ brokers, topic, transactionalId: `${idPrefix}${topic}` })
    producers.set(topic, made)
    return made
  }
}

/** The region of `arn:aws:kafka:<region>:<account>:cluster/<name>/<uuid>`. */
export const regionOf = (clusterArn: string): string => clusterArn.split(':')[3] ?? ''

/**
 * The `host:port` of each broker of the cluster. Throws an Error with the cluster's ARN if it has none for
 * `authentication`.
 */
export async function bootstrapBrokers(
  aws: Pick<KafkaClient, 'send'>,
  clusterArn: string,
  authentication: KafkaAuthentication,
): Promise<string[]> {
  const answer = await aws.send(new GetBootstrapBrokersCommand({ ClusterArn: clusterArn })).catch((cause) => {
    throw new Error(`AWS did not give the brokers of ${clusterArn}: ${cause.message}`, { cause })
  })
  const brokers = {
    iam: answer.BootstrapBrokerStringSaslIam,
    scram: answer.BootstrapBrokerStringSaslScram,
    none: answer.BootstrapBrokerString,
  }[authentication]
  if (brokers) return brokers.split(',')
  const listener = { iam: 'IAM authentication', scram: 'SASL/SCRAM authentication', none: 'plaintext' }[authentication]
  throw new Error(`${clusterArn} has no brokers with ${listener}: enable it in the cluster's client authentication`)
}
