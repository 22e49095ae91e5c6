import { isDeepStrictEqual } from 'node:util'
import type { Properties } from './properties.ts'
import { refuse } from './properties.ts'

/** Properties that UpdateEventSourceMapping does not change, because another source needs another mapping. */
const fixed = [
  'EventSourceArn',
  'SelfManagedEventSource',
  'StartingPosition',
  'StartingPositionTimestamp',
  'Topics',
] as const

const groupConfigs = ['AmazonManagedKafkaEventSourceConfig', 'SelfManagedKafkaEventSourceConfig']

/** A mapping's properties after an UpdateEventSourceMapping. Those that the request does not name stay. */
export function updateProperties(properties: Properties, request: Properties): Properties {
  const groups = groupConfigs.map((config) => [config, 'ConsumerGroupId'] as const)
  for (const name of fixed) {
    if (request[name] !== undefined && !isDeepStrictEqual(request[name], properties[name])) refuseChange(name)
  }
  for (const [config, member] of groups) {
    const asked = (request[config] as Properties | undefined)?.[member]
    if (asked !== undefined && asked !== (properties[config] as Properties | undefined)?.[member]) {
      refuseChange(`${config}.${member}`)
    }
  }
  return { ...properties, ...request }
}

const refuseChange = (name: string) => refuse(`${name} cannot be changed: delete the mapping and create another one`)
