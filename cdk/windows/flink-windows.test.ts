import { expect, test } from 'vitest'
import { synthesize } from '#test-support/stack-template.ts'
import { stages } from '../stages.ts'

const prod = stages['prod']!
const settings = {
  ...{ definition: 'trips_by_zone', topic: 'trips-by-zone-flink', topicPartitions: 3, parallelism: 2 },
  // Any file can be the code of a template that is only looked at.
  jar: import.meta.filename,
}
const template = synthesize({ ...prod, flinkWindows: [settings] })

test.each(Object.values(stages))('$name has no Flink application', (stage) => {
  expect(synthesize(stage).types).not.toContain('AWS::KinesisAnalyticsV2::Application')
})

test('a definition that a stage names is an application in the network, whose topic is compacted', () => {
  const { Properties } = template.only('AWS::KinesisAnalyticsV2::Application')

  expect(Properties).toMatchObject({ ApplicationName: 'tidemark-prod-trips-by-zone', RuntimeEnvironment: 'FLINK-1_20' })
  expect(Properties['ApplicationConfiguration'].VpcConfigurations).toHaveLength(1)
  const topic = Object.values(template.ofType('AWS::MSK::Topic')).find(
    ({ Properties: { TopicName } }) => TopicName === 'trips-by-zone-flink',
  )
  expect(Buffer.from(topic!.Properties['Configs'], 'base64').toString()).toContain('cleanup.policy=compact')
})

test('the application may read the changes and write its own topic, and no other', () => {
  const [, policy] = Object.entries(template.ofType('AWS::IAM::Policy')).find(([id]) => id.startsWith('FlinkWindows'))!
  const resourcesOf = (action: string) =>
    (policy.Properties['PolicyDocument'].Statement as { Action: string | string[]; Resource: unknown }[])
      .filter(({ Action }) => [Action].flat().includes(`kafka-cluster:${action}`))
      .map(({ Resource }) => JSON.stringify(Resource))

  expect(resourcesOf('WriteData')).toEqual([expect.stringContaining(':topic/tidemark-prod/*/trips-by-zone-flink')])
  expect(resourcesOf('ReadData')).toEqual([expect.stringContaining(':topic/tidemark-prod/*/changes')])
  expect(resourcesOf('AlterTransactionalId')).toEqual([expect.stringContaining('/tidemark-flink-trips_by_zone*')])
})
