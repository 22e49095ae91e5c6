import { generateAuthToken } from 'aws-msk-iam-sasl-signer-js'
import { Kafka, type KafkaConfig, type KafkaJSError, logLevel } from 'kafkajs'
import { stopIdleTimers } from './idle-request-queue.ts'

stopIdleTimers()

/**
 * How clients authenticate: by AWS signatures or by name and password, both over TLS, or not at all, on loopback only.
 */
export type KafkaAuthentication = 'iam' | 'scram' | 'none'

export type BrokerClientOptions = {
  brokers: string[]
  authentication: KafkaAuthentication
  /** Returns the name and password of `scram`. */
  readLogin?: () => Promise<{ username: string; password: string }>
  /** The AWS region of the brokers, for which requests are signed. */
  region: string
  clientId: string
  /** How long to wait for brokers that do not answer, when connecting and at every request. */
  waitMs: number
  /**
   * How long to wait for the answer to one request.
   *
   * @default 30 s
   */
  requestTimeoutMs?: number
}

/** A client of the brokers. It is not connected yet, and does not retry by itself. */
export const openBrokerClient = async (options: BrokerClientOptions): Promise<Kafka> =>
  new Kafka(await clientConfiguration(options))

async function clientConfiguration(options: BrokerClientOptions): Promise<KafkaConfig> {
  const { brokers, authentication, readLogin, region, clientId } = options
  // kafkajs stops retrying too early in some places and never in others, so its retries are off and waitForBrokers
  // decides.
  const retry = { retries: 0 }
  const requestTimeout = options.requestTimeoutMs ?? 30_000
  const plain = { brokers, clientId, retry, requestTimeout, logLevel: logLevel.NOTHING, connectionTimeout: 3_000 }
  if (authentication === 'none') return plain
  if (authentication === 'scram') {
    if (readLogin === undefined) throw new Error('brokers that are logged in to by password need readLogin')
    return { ...plain, ssl: true, sasl: { mechanism: 'scram-sha-512', ...(await readLogin()) } }
  }
  const oauthBearerProvider = async () => ({ value: (await generateAuthToken({ region })).token })
  return { ...plain, ssl: true, sasl: { mechanism: 'oauthbearer', oauthBearerProvider } }
}

/** Repeats the work while the brokers do not answer, for `waitMs` at most. Throws an Error that names the brokers. */
export async function waitForBrokers<T>(
  { brokers, waitMs }: Pick<BrokerClientOptions, 'brokers' | 'waitMs'>,
  work: () => Promise<T>,
): Promise<T> {
  const deadline = Date.now() + waitMs
  for (;;) {
    const outcome = await work().then(
      (value) => ({ value }),
      (error: unknown) => ({ failure: error as KafkaJSError }),
    )
    if ('value' in outcome) return outcome.value
    const { failure } = outcome
    if (!isPassing(failure)) throw failure
    if (Date.now() > deadline) {
      const seconds = Math.round(waitMs / 1000)
      throw new Error(`no broker of ${brokers.join(', ')} answered within ${seconds} s: ${failure.message}`, {
        cause: failure,
      })
    }
    await new Promise((resume) => setTimeout(resume, 200))
  }
}

/**
 * Whether a later attempt may succeed. An error that kafkajs has not retried itself is wrapped in one that is not
 * retriable, so the cause is looked at too.
 */
function isPassing(error: KafkaJSError): boolean {
  const { cause } = error
  // A broker that has never had a consumer group creates the topic of group offsets at the first request for one.
  if (error.name === 'KafkaJSGroupCoordinatorNotFound') return true
  return error.retriable || (cause instanceof Error && isPassing(cause as KafkaJSError))
}

/** What brokers have answered, in Kafka's own names such as `MESSAGE_TOO_LARGE`, when the error comes from answers. */
export function protocolErrors(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const { type, errors = [] } = error as Error & { type?: unknown; errors?: readonly unknown[] }
  const own = typeof type === 'string' ? [type] : []
  return [...own, ...protocolErrors(error.cause), ...errors.flatMap(protocolErrors)]
}
