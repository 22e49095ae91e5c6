import { expect, test } from 'vitest'
import { brokerName, brokerNodes, quorumProperties } from './broker-nodes.ts'

test('each node takes two ports, from the first one on', () => {
  const nodes = brokerNodes({ kafkaPort: 19092, brokers: 3 })

  expect(nodes.map(({ port, controllerPort }) => [port, controllerPort])).toEqual([
    [19092, 19093],
    [19094, 19095],
    [19096, 19097],
  ])
  expect(nodes.map((node) => brokerName(node, nodes))).toEqual(['kafka-1', 'kafka-2', 'kafka-3'])
})

test('three nodes list each other, one finds itself', () => {
  const [alone] = brokerNodes({ kafkaPort: 19092, brokers: 1 })
  const nodes = brokerNodes({ kafkaPort: 19092, brokers: 3 })

  expect(quorumProperties(alone!, [alone!])).toMatchObject({
    'controller.quorum.bootstrap.servers': '127.0.0.1:19093',
  })
  expect(quorumProperties(nodes[1]!, nodes)).toMatchObject({
    'node.id': '2',
    'controller.quorum.voters': '1@127.0.0.1:19093,2@127.0.0.1:19095,3@127.0.0.1:19097',
  })
})
