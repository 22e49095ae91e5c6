import type { Service } from './exchange.ts'

const brokersPath = /^\/v1\/clusters\/(arn:.+)\/bootstrap-brokers$/

/**
 * MSK's GetBootstrapBrokers. The answer has `host:port,…` by the name of the bootstrap string, such as
 * `bootstrapBrokerString` for plain text.
 */
export function makeKafkaApi(bootstrapBrokers: (clusterArn: string) => Record<string, string> | undefined): Service {
  return ({ method, path }) => {
    const arn = brokersPath.exec(path)?.[1]
    if (method !== 'GET' || arn === undefined) return undefined
    const brokers = bootstrapBrokers(arn)
    if (brokers !== undefined) return { status: 200, body: brokers }
    const body = { invalidParameter: 'clusterArn', message: `There is no cluster ${arn}.` }
    return { status: 404, headers: { 'x-amzn-ErrorType': 'NotFoundException' }, body }
  }
}
