import type { Stage } from './stages.ts'

/** The stage on so many brokers: three keep a copy of everything each, and two of them must have a record. */
export function withBrokers(stage: Stage, count: string | undefined): Stage {
  if (count === undefined || count === '1') return stage
  if (count !== '3') throw new Error(`TIDEMARK_BROKERS=${count}: there can be 1 broker, or 3`)
  const { stream, network } = stage
  return {
    ...stage,
    stream: { ...stream, brokers: { ...stream.brokers, count: 3 }, replicas: { count: 3, inSync: 2 } },
    // MSK puts as many brokers into each zone.
    network: { ...network, availabilityZones: ['us-east-1a', 'us-east-1b', 'us-east-1c'] },
  }
}
