import type { KafkaAuthentication } from '../stream/cluster.ts'

export type ConnectWorkerSettings = {
  /** `host:port,…` of the brokers. */
  bootstrapBrokers: string
  /** How clients log in. */
  authentication: KafkaAuthentication
  /** The group that the workers of one Connect cluster share. */
  group: string
  /** Connect's own topics. */
  topics: { config: string; offsets: string; status: string }
  /** Memory of the worker's JVM heap. A changed row has to fit in it several times. */
  heapMiB: number
}

/**
 * Variables of Debezium's Connect image. Its entrypoint turns `CONNECT_A_B` into the worker property `a.b`. Variables
 * without the prefix are the image's own, and take precedence over those with it (`OFFSET_FLUSH_INTERVAL_MS` is 60 s if
 * it is not set here).
 */
export function connectWorkerVariables(settings: ConnectWorkerSettings): Record<string, string> {
  return {
    BOOTSTRAP_SERVERS: settings.bootstrapBrokers,
    GROUP_ID: settings.group,
    CONFIG_STORAGE_TOPIC: settings.topics.config,
    OFFSET_STORAGE_TOPIC: settings.topics.offsets,
    STATUS_STORAGE_TOPIC: settings.topics.status,
    // The heap has its full size from the start: a heap that grows collects garbage for most of an initial snapshot.
    HEAP_OPTS: `-Xms${settings.heapMiB}m -Xmx${settings.heapMiB}m`,
    // A killed worker sends again what it sent since the last flush: changes of one second instead of a minute.
    OFFSET_FLUSH_INTERVAL_MS: '1000',
    CONNECT_LISTENERS: 'http://0.0.0.0:8083',
    CONNECT_PLUGIN_DISCOVERY: 'service_load',
    // There is one worker, so waiting five minutes for another one to come back would stop capture for five minutes.
    CONNECT_SCHEDULED_REBALANCE_MAX_DELAY_MS: '0',
    CONNECT_EXACTLY_ONCE_SOURCE_SUPPORT: 'disabled',
    // Only connectors whose configuration says how topics are created make any. Tidemark's own does not.
    CONNECT_TOPIC_CREATION_ENABLE: 'true',
    // This lets the connector set its own producer's idempotence, record size and compression.
    CONNECT_CONNECTOR_CLIENT_CONFIG_OVERRIDE_POLICY: 'All',
    CONNECT_PRODUCER_COMPRESSION_TYPE: 'lz4',
    // Configurations name these variables, so that Connect's topics and files never hold a password.
    CONNECT_CONFIG_PROVIDERS: 'env',
    CONNECT_CONFIG_PROVIDERS_ENV_CLASS: 'org.apache.kafka.common.config.provider.EnvVarConfigProvider',
    CONNECT_CONFIG_PROVIDERS_ENV_PARAM_ALLOWLIST_PATTERN: '(SOURCE|KAFKA)_(USERNAME|PASSWORD)',
    ...loginVariables(settings.authentication),
  }
}

const iamLogin = {
  SECURITY_PROTOCOL: 'SASL_SSL',
  SASL_MECHANISM: 'AWS_MSK_IAM',
  SASL_JAAS_CONFIG: 'software.amazon.msk.auth.iam.IAMLoginModule required;',
  SASL_CLIENT_CALLBACK_HANDLER_CLASS: 'software.amazon.msk.auth.iam.IAMClientCallbackHandler',
}

const scramLogin = {
  SECURITY_PROTOCOL: 'SASL_SSL',
  SASL_MECHANISM: 'SCRAM-SHA-512',
  SASL_JAAS_CONFIG:
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the worker's config provider fills them in
    'org.apache.kafka.common.security.scram.ScramLoginModule required username="${env:KAFKA_USERNAME}" password="${env:KAFKA_PASSWORD}";',
}

/** How the worker itself and the clients that it creates log in. */
function loginVariables(authentication: KafkaAuthentication): Record<string, string> {
  if (authentication === 'none') return {}
  const login = authentication === 'iam' ? iamLogin : scramLogin
  const clients = ['CONNECT_', 'CONNECT_PRODUCER_', 'CONNECT_CONSUMER_', 'CONNECT_ADMIN_']
  return Object.fromEntries(
    clients.flatMap((client) => Object.entries(login).map(([name, value]) => [`${client}${name}`, value])),
  )
}
