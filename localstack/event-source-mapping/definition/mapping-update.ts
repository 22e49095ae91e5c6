import { isDeepStrictEqual } from 'node:util'
import type { Properties } from './properties.ts'
import { refuse } from './properties.ts'

/** What UpdateEventSourceMapping does not take: another source is another mapping. */
const fixed = [
  'EventSourceArn',
  'SelfManagedEventSource',
  'StartingPosition',
  'StartingPositionTimestamp',
  'Topics',
] as const

const groupConfigs = ['AmazonManagedKafkaEventSourceConfig', 'SelfManagedKafkaEventSourceConfig']

/** A mapping's properties after an UpdateEventSourceMapping: what the request does not name stays. */
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
