import { KafkaClient } from '@aws-sdk/client-kafka'
import { generateAuthToken } from 'aws-msk-iam-sasl-signer-js'
import { bootstrapBrokers, type MskPublisherOptions, regionOf } from '../msk-publisher.ts'
import type { BrokerConnection } from './topic-session.ts'

/** The brokers of an MSK cluster, as AWS names them at each call, and the login that its authentication needs. */
export function mskBrokers(
  { clusterArn, authentication, readLogin }: Omit<MskPublisherOptions, 'topic'>,
  aws: Pick<KafkaClient, 'send'> = new KafkaClient(),
): () => Promise<BrokerConnection> {
  return async () => {
    const brokers = await bootstrapBrokers(aws, clusterArn, authentication)
    if (authentication === 'none') return { brokers, access: {} }
    if (authentication === 'scram') {
      if (readLogin === undefined) throw new Error('brokers that are logged in to by password need readLogin')
      return { brokers, access: { tls: {}, sasl: { mechanism: 'SCRAM-SHA-512', ...(await readLogin()) } } }
    }
    const token = async () => (await generateAuthToken({ region: regionOf(clusterArn) })).token
    return { brokers, access: { tls: {}, sasl: { mechanism: 'OAUTHBEARER', token } } }
  }
}
