import { constrain, members, type Properties, refuse, text } from './properties.ts'

/** Where the records come from. */
export type EventSource = {
  /** ARN of the MSK cluster; absent for self-managed Kafka. */
  eventSourceArn?: string
  /** `host:port,…` of self-managed Kafka; absent for MSK, whose brokers AWS finds. */
  bootstrapServers?: string
  /** Absent: the group has the mapping's own id, as on AWS. */
  consumerGroupId?: string
  /** How to log in. Empty: with the function's role (MSK), or without a login. */
  access: SourceAccess[]
}

export type SourceAccess = { type: AccessType; secretArn: string }

/** Types of SourceAccessConfigurations that name a secret. */
export type AccessType =
  | 'BASIC_AUTH'
  | 'CLIENT_CERTIFICATE_TLS_AUTH'
  | 'SASL_SCRAM_256_AUTH'
  | 'SASL_SCRAM_512_AUTH'
  | 'SERVER_ROOT_CA_CERTIFICATE'

const authentications = ['BASIC_AUTH', 'CLIENT_CERTIFICATE_TLS_AUTH', 'SASL_SCRAM_256_AUTH', 'SASL_SCRAM_512_AUTH']
const forMsk = ['CLIENT_CERTIFICATE_TLS_AUTH', 'SASL_SCRAM_512_AUTH']
/** Types without an effect here: every network can be reached, and the role has no local meaning. */
const withoutEffect = ['IAM_AUTH', 'VPC_SECURITY_GROUP', 'VPC_SUBNET']

/** Reads EventSourceArn or SelfManagedEventSource, and how to log in. Throws an Error that names the property. */
export function readEventSource(properties: Properties): EventSource {
  const { EventSourceArn, SelfManagedEventSource } = properties
  if (EventSourceArn !== undefined && SelfManagedEventSource !== undefined) {
    refuse('EventSourceArn and SelfManagedEventSource exclude each other')
  }
  const selfManaged = SelfManagedEventSource !== undefined
  const config = selfManaged ? 'SelfManagedKafkaEventSourceConfig' : 'AmazonManagedKafkaEventSourceConfig'
  const unfit = selfManaged ? 'AmazonManagedKafkaEventSourceConfig' : 'SelfManagedKafkaEventSourceConfig'
  if (properties[unfit] !== undefined) refuse(`${unfit} is for another kind of event source`)
  const group = members(properties, config, ['ConsumerGroupId'], { ConsumptionMode: 'Stream' })
  return {
    ...(selfManaged
      ? { bootstrapServers: readEndpoints(properties) }
      : { eventSourceArn: text(properties, 'EventSourceArn') }),
    ...(group?.['ConsumerGroupId'] !== undefined && { consumerGroupId: readGroup(config, group['ConsumerGroupId']) }),
    access: readAccess(properties['SourceAccessConfigurations'], selfManaged),
  }
}

/** Source: Lambda API reference, AmazonManagedKafkaEventSourceConfig and SelfManagedKafkaEventSourceConfig. */
function readGroup(config: string, group: unknown): string {
  const member = `${config[0]!.toLowerCase()}${config.slice(1)}.consumerGroupId`
  return constrain(String(group), member, { least: 1, most: 200, pattern: '[a-zA-Z0-9-\\/*:_+=.@-]*' })
}

function readEndpoints(properties: Properties): string {
  const source = members(properties, 'SelfManagedEventSource', ['Endpoints'])
  const servers = source?.['Endpoints'] as Properties | undefined
  // CloudFormation and the API have different names for it.
  const list = servers?.['KAFKA_BOOTSTRAP_SERVERS'] ?? servers?.['KafkaBootstrapServers']
  const isServer = (each: unknown) => typeof each === 'string' && /^[^,:\s]+:\d{1,5}$/.test(each)
  if (Array.isArray(list) && list.length > 0 && list.every(isServer)) return list.join(',')
  return refuse('SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS takes a list of host:port')
}

function readAccess(configurations: unknown, selfManaged: boolean): SourceAccess[] {
  if (configurations === undefined) return []
  if (!Array.isArray(configurations)) refuse('SourceAccessConfigurations must be a list')
  const access = (configurations as Properties[]).flatMap((configuration) => {
    const type = text(configuration, 'Type')
    if (withoutEffect.includes(type)) return []
    const known = selfManaged ? [...authentications, 'SERVER_ROOT_CA_CERTIFICATE'] : forMsk
    if (!known.includes(type)) refuse(`SourceAccessConfigurations: ${type} is not supported, only ${known.join(', ')}`)
    const secretArn = configuration['URI']
    if (typeof secretArn !== 'string' || secretArn === '') refuse(`SourceAccessConfigurations: ${type} needs a URI`)
    return [{ type: type as AccessType, secretArn: secretArn as string }]
  })
  const logins = access.filter(({ type }) => authentications.includes(type))
  if (logins.length > 1) {
    refuse(`SourceAccessConfigurations: only one of ${logins.map(({ type }) => type).join(', ')} can be used`)
  }
  return access
}
