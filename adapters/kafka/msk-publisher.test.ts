import { expect, test } from 'vitest'
import { bootstrapBrokers } from './msk-publisher.ts'

const arn = 'arn:aws:kafka:eu-west-1:123456789012:cluster/tidemark/5b6a'
const answering = (answer: object) => ({ send: async () => answer }) as never

test('the brokers of the listener that is authenticated against are used', async () => {
  const aws = answering({ BootstrapBrokerString: 'a:9092', BootstrapBrokerStringSaslIam: 'a:9098,b:9098' })

  expect(await bootstrapBrokers(aws, arn, 'iam')).toEqual(['a:9098', 'b:9098'])
  expect(await bootstrapBrokers(aws, arn, 'none')).toEqual(['a:9092'])
})

test('a cluster without that listener is an error that names it and says what to enable', async () => {
  const aws = answering({ BootstrapBrokerString: 'a:9092' })

  await expect(bootstrapBrokers(aws, arn, 'iam')).rejects.toThrow(
    `${arn} has no brokers with IAM authentication: enable`,
  )
})

test('a refusal by AWS is reported with the cluster that was asked for', async () => {
  const aws = { send: () => Promise.reject(new Error('Access denied')) } as never

  await expect(bootstrapBrokers(aws, arn, 'iam')).rejects.toThrow(`the brokers of ${arn}: Access denied`)
})
