import type { Stage } from './stages.ts'

/** What the user of one machine chooses about the brokers, as `TIDEMARK_…` variables. */
export type BrokerChoice = { TIDEMARK_BROKERS?: string | undefined; TIDEMARK_SECURE?: string | undefined }

/**
 * The stage with this number of brokers. With three, each keeps a copy of everything, and two of them must have a
 * record. Secure brokers only admit clients with a name and a password, over TLS.
 */
export function withBrokers(stage: Stage, { TIDEMARK_BROKERS: count, TIDEMARK_SECURE: secure }: BrokerChoice): Stage {
  if (count !== undefined && count !== '1' && count !== '3') {
    throw new Error(`TIDEMARK_BROKERS=${count}: there can be 1 broker, or 3`)
  }
  const chosen = count === '3' ? onThreeBrokers(stage) : stage
  return secure === '1' ? { ...chosen, stream: { ...chosen.stream, authentication: 'scram' } } : chosen
}

const onThreeBrokers = (stage: Stage): Stage => ({
  ...stage,
  stream: { ...stage.stream, brokers: { ...stage.stream.brokers, count: 3 }, replicas: { count: 3, inSync: 2 } },
  // MSK puts the same number of brokers into each zone, so three brokers need three zones.
  network: { ...stage.network, availabilityZones: ['us-east-1a', 'us-east-1b', 'us-east-1c'] },
})
