// Invoked by CloudFormation as a custom resource; reads the addresses of the brokers for the rest of the stack.

import { KafkaClient } from '@aws-sdk/client-kafka'
import type { CloudFormationCustomResourceEvent, Context } from 'aws-lambda'
import { bootstrapBrokers } from '#adapters/kafka/msk-publisher.ts'
import { answerCustomResource } from '../custom-resource.ts'
import { readEnvironment } from './environment.ts'

const { CLUSTER_ARN, KAFKA_AUTHENTICATION } = readEnvironment(process.env)
const aws = new KafkaClient()

/** Gives the cluster's brokers (`host:port,…`) as `Brokers`. Nothing is created, so nothing has to be deleted. */
export const handler = (event: CloudFormationCustomResourceEvent, context: Context): Promise<void> =>
  answerCustomResource(event, context, async ({ RequestType }) => {
    if (RequestType === 'Delete') return {}
    const brokers = await bootstrapBrokers(aws, CLUSTER_ARN, KAFKA_AUTHENTICATION)
    return { data: { Brokers: brokers.join(',') } }
  })
