import { setTimeout as pause } from 'node:timers/promises'
import {
  type EventSourceMappingConfiguration,
  GetFunctionConcurrencyCommand,
  type LambdaClient,
  paginateListEventSourceMappings,
} from '@aws-sdk/client-lambda'
import {
  bootstrapServers,
  clusterTrust,
  type LocalAccount,
  objectStoreUrl,
} from '#localstack/assembly/local-account.ts'
import { readMapping } from '#localstack/event-source-mapping/definition/mapping-definition.ts'
import { startEventSourceMapping } from '#localstack/event-source-mapping/event-source-mapping.ts'

/** The concurrency of a function that reserves none: AWS allows 10 in a new account. */
const UNRESERVED_CONCURRENCY = 10

/** How often LocalStack is asked. */
const EVERY_MS = 1_000

/** Polls the mappings that LocalStack lists. */
export type Discovery = {
  /** Asks once. Throws an Error that names the first mapping that cannot be polled. */
  look(): Promise<void>
  /** Stops asking. The mappings go on polling until they are stopped. */
  stop(): Promise<void>
}

/**
 * Starts, changes and ends pollers to match ListEventSourceMappings, so that creating, updating or deleting a Kafka
 * mapping in LocalStack takes effect. They are the account's mappings, by UUID.
 */
export function startDiscovery(lambda: LambdaClient, account: LocalAccount): Discovery {
  const seen = new Map<string, string>()
  const refused = new Map<string, Error>()
  const stopped = new AbortController()
  const signal = AbortSignal.any([stopped.signal, account.signal])
  let comparing = Promise.resolve()

  async function compare(): Promise<void> {
    const listed = (await list(lambda)).filter(isKafka)
    for (const configuration of listed) {
      await follow(configuration).catch((error: Error) => refuse(configuration.UUID!, error))
    }
    const uuids = new Set(listed.map(({ UUID }) => UUID))
    for (const uuid of [...seen.keys(), ...refused.keys()]) if (!uuids.has(uuid)) await end(uuid)
  }

  async function follow(configuration: EventSourceMappingConfiguration): Promise<void> {
    const uuid = configuration.UUID!
    const properties = propertiesOf(configuration)
    const digest = JSON.stringify(properties)
    if (seen.get(uuid) === digest || signal.aborted) return
    const definition = readMapping(properties)
    const known = account.mappings.get(uuid)
    known?.mapping.update(definition)
    const mapping = known?.mapping ?? (await start(uuid, definition))
    account.mappings.set(uuid, { definition, mapping, uuid, properties, changedAt: new Date() })
    seen.set(uuid, digest)
    refused.delete(uuid)
  }

  function refuse(uuid: string, error: Error): void {
    if (refused.get(uuid)?.message !== error.message) log(`${uuid} ${error.message}`)
    refused.set(uuid, error)
  }

  async function start(uuid: string, definition: ReturnType<typeof readMapping>) {
    const concurrency = await lambda.send(new GetFunctionConcurrencyCommand({ FunctionName: definition.functionName }))
    signal.throwIfAborted()
    return startEventSourceMapping(definition, {
      id: uuid,
      bootstrapServers: bootstrapServers(account.settings),
      ...clusterTrust(account, definition.eventSourceArn),
      invoke: (payload, functionName) => account.functions.invoke(functionName, payload),
      awsEndpoints: { s3: objectStoreUrl(account.settings), key: account.key },
      readSecret: async (arn) => readSecret(account, arn),
      concurrency: concurrency.ReservedConcurrentExecutions ?? UNRESERVED_CONCURRENCY,
      onEvent: (event) => log(`${uuid} ${JSON.stringify(event)}`),
    })
  }

  async function end(uuid: string): Promise<void> {
    seen.delete(uuid)
    refused.delete(uuid)
    const ended = account.mappings.get(uuid)
    account.mappings.delete(uuid)
    await ended?.mapping.delete()
  }

  const log = (line: string) => account.log('event-source-mappings', `${new Date().toISOString()} ${line}`)

  function compareInTurn(): Promise<void> {
    const next = comparing.then(compare)
    comparing = next.catch(() => undefined)
    return next
  }

  async function compareRepeatedly(): Promise<void> {
    while (!signal.aborted) {
      await compareInTurn().catch((error: Error) => {
        if (!signal.aborted) log(error.message)
      })
      await pause(EVERY_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  const repeating = compareRepeatedly()
  return {
    async look() {
      await compareInTurn()
      for (const error of refused.values()) throw error
    },
    async stop() {
      stopped.abort()
      await repeating
    },
  }
}

async function list(lambda: LambdaClient): Promise<EventSourceMappingConfiguration[]> {
  const all: EventSourceMappingConfiguration[] = []
  for await (const page of paginateListEventSourceMappings({ client: lambda }, {})) {
    all.push(...(page.EventSourceMappings ?? []))
  }
  return all
}

const isKafka = ({ EventSourceArn, SelfManagedEventSource }: EventSourceMappingConfiguration): boolean =>
  SelfManagedEventSource !== undefined || EventSourceArn?.split(':')[2] === 'kafka'

/** The properties with which a listed mapping was created, in the form of CreateEventSourceMapping. */
export function propertiesOf(configuration: EventSourceMappingConfiguration): Record<string, unknown> {
  const { FunctionArn, State, StartingPositionTimestamp } = configuration
  const asked = Object.entries(configuration).filter(([name, value]) => !onlyInAnswers.has(name) && value !== undefined)
  return {
    ...Object.fromEntries(asked),
    FunctionName: FunctionArn,
    Enabled: State !== 'Disabled' && State !== 'Disabling',
    ...(StartingPositionTimestamp && { StartingPositionTimestamp: StartingPositionTimestamp.getTime() / 1000 }),
  }
}

/** Fields that only answers have. */
const onlyInAnswers = new Set([
  'EventSourceMappingArn',
  'FilterCriteriaError',
  'FunctionArn',
  'LastModified',
  'LastProcessingResult',
  'State',
  'StateTransitionReason',
  'UUID',
])

function readSecret({ secrets }: LocalAccount, arn: string): string {
  const secret = secrets.get(arn)
  if (secret === undefined) throw new Error(`there is no secret ${arn}`)
  return secret
}
