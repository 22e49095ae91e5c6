import { generateAuthToken } from 'aws-msk-iam-sasl-signer-js'
import { Kafka, type KafkaConfig, type KafkaJSError, logLevel } from 'kafkajs'
import { stopIdleTimers } from './idle-request-queue.ts'

stopIdleTimers()

/** How clients prove who they are: AWS signatures or name and password over TLS, or not at all, on loopback only. */
export type KafkaAuthentication = 'iam' | 'scram' | 'none'

export type BrokerClientOptions = {
  brokers: string[]
  authentication: KafkaAuthentication
  /** Gives the name and password of `scram`. */
  readLogin?: () => Promise<{ username: string; password: string }>
  /** AWS region the brokers are in; signs for it. */
  region: string
  clientId: string
  /** How long brokers that do not answer are waited for, at the beginning and at every request. */
  waitMs: number
}

/** A client of the brokers, which is not connected yet and tries nothing again by itself. */
export const openBrokerClient = async (options: BrokerClientOptions): Promise<Kafka> =>
  new Kafka(await clientConfiguration(options))

async function clientConfiguration(options: BrokerClientOptions): Promise<KafkaConfig> {
  const { brokers, authentication, readLogin, region, clientId } = options
  // kafkajs gives up on a restarting broker early in some places and never in others: waitForBrokers decides instead.
  const retry = { retries: 0 }
  const plain = { brokers, clientId, retry, logLevel: logLevel.NOTHING, connectionTimeout: 3_000 }
  if (authentication === 'none') return plain
  if (authentication === 'scram') {
    if (readLogin === undefined) throw new Error('brokers that are logged in to by password need readLogin')
    return { ...plain, ssl: true, sasl: { mechanism: 'scram-sha-512', ...(await readLogin()) } }
  }
  const oauthBearerProvider = async () => ({ value: (await generateAuthToken({ region })).token })
  return { ...plain, ssl: true, sasl: { mechanism: 'oauthbearer', oauthBearerProvider } }
}

/** Does it again while brokers do not answer, for as long as they are waited for. Throws an Error that names them. */
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

/** Whether a later attempt may succeed; kafkajs wraps what it does not itself try again in an error that says it may not. */
function isPassing(error: KafkaJSError): boolean {
  const { cause } = error
  // A broker that has never had a group makes the topic that keeps their offsets when it is first asked for one.
  if (error.name === 'KafkaJSGroupCoordinatorNotFound') return true
  return error.retriable || (cause instanceof Error && isPassing(cause as KafkaJSError))
}
