import { randomUUID } from 'node:crypto'
import type { ListedMapping, Mappings } from '#localstack/endpoint/mappings-api.ts'
import { type MappingDefinition, readMapping } from '#localstack/event-source-mapping/definition/mapping-definition.ts'
import { updateProperties } from '#localstack/event-source-mapping/definition/mapping-update.ts'
import { type Properties, refuse } from '#localstack/event-source-mapping/definition/properties.ts'
import { startEventSourceMapping } from '#localstack/event-source-mapping/event-source-mapping.ts'
import { functionNameOf } from '#localstack/lambda-host/bundle/function-definition.ts'
import {
  type AccountMapping,
  arn,
  bootstrapServers,
  clusterTrust,
  type LocalAccount,
  objectStoreUrl,
} from './local-account.ts'

/** The concurrency of a function that reserves none: AWS allows 10 in a new account. */
const UNRESERVED_CONCURRENCY = 10

/**
 * Starts a mapping, which begins to poll. `id` is its key in the account: its logical id, or its UUID when the API made
 * it.
 */
export function startMapping(account: LocalAccount, id: string, uuid: string, properties: Properties): void {
  const definition = readMapping(properties)
  const mapping = startEventSourceMapping(definition, {
    id: uuid,
    bootstrapServers: bootstrapServers(account.settings),
    ...clusterTrust(account, definition.eventSourceArn),
    invoke: (payload, functionName) => account.functions.invoke(functionName, payload),
    awsEndpoints: { s3: objectStoreUrl(account.settings), key: account.key },
    readSecret: async (secret) => readSecret(account, secret),
    concurrency: concurrencyOf(definition.functionName, account),
    onEvent: (event) =>
      account.log('event-source-mappings', `${new Date().toISOString()} ${id} ${JSON.stringify(event)}`),
  })
  account.mappings.set(id, { definition, mapping, uuid, properties, changedAt: new Date() })
}

/**
 * The mappings of the account, as the API reads and changes them. What the API creates or changes lasts until the stack
 * stops.
 */
export function accountMappings(account: LocalAccount): Mappings {
  const all = () => [...account.mappings].map(([id, entry]) => ({ id, ...entry }))
  const find = (uuid: string) => all().find((each) => each.uuid === uuid)!

  return {
    list: () => all().map((entry) => describe(account, entry)),
    create(properties) {
      const uuid = randomUUID()
      const definition = readMapping(properties)
      requireFunction(account, definition.functionName)
      requireSource(account, definition)
      const same = all().find(
        (each) =>
          each.definition.topic === definition.topic &&
          functionNameOf(each.definition.functionName) === functionNameOf(definition.functionName) &&
          each.definition.eventSourceArn === definition.eventSourceArn &&
          each.definition.bootstrapServers === definition.bootstrapServers,
      )
      if (same !== undefined) {
        refuse(`there is one of this source, topic and function already: update or delete the mapping ${same.uuid}`)
      }
      startMapping(account, uuid, uuid, properties)
      return describe(account, find(uuid))
    },
    update(uuid, request) {
      const { id, mapping, properties: before } = find(uuid)
      const properties = updateProperties(before, request)
      const definition = readMapping(properties)
      requireFunction(account, definition.functionName)
      mapping.update(definition)
      account.mappings.set(id, { definition, mapping, uuid, properties, changedAt: new Date() })
      return describe(account, find(uuid))
    },
    remove(uuid) {
      const entry = find(uuid)
      // The mapping leaves its consumer group in the background. The account keeps it until then, so that a stop waits
      // for it.
      void entry.mapping.delete().finally(() => account.mappings.delete(entry.id))
      return describe(account, entry)
    },
  }
}

function describe(
  account: LocalAccount,
  { uuid, definition, mapping, properties, changedAt }: AccountMapping,
): ListedMapping {
  const name = functionNameOf(definition.functionName) ?? definition.functionName
  return {
    uuid,
    arn: arn(account.stack, 'lambda', `event-source-mapping:${uuid}`),
    functionArn: arn(account.stack, 'lambda', `function:${name}`),
    properties,
    consumerGroupId: definition.consumerGroupId ?? uuid,
    state: mapping.state(),
    lastError: mapping.metrics().lastError,
    changedAt,
  }
}

function requireFunction(account: LocalAccount, nameOrArn: string): void {
  if (findFunction(nameOrArn, account) === undefined) refuse(`Function does not exist: ${nameOrArn}`)
}

function requireSource({ clusters }: LocalAccount, { eventSourceArn }: MappingDefinition): void {
  if (eventSourceArn === undefined || clusters.has(eventSourceArn)) return
  refuse(`Unrecognized event source, the cluster is ${[...clusters.keys()].join(', ')}`)
}

function readSecret({ secrets }: LocalAccount, id: string): string {
  const secret = secrets.get(id)
  if (secret === undefined) throw new Error(`there is no secret ${id}`)
  return secret
}

const findFunction = (nameOrArn: string, { functions }: LocalAccount) =>
  functions.list().find(({ definition }) => definition.name === functionNameOf(nameOrArn))

function concurrencyOf(nameOrArn: string, account: LocalAccount): number {
  const found = findFunction(nameOrArn, account)
  if (found === undefined) throw new Error(`there is no function ${nameOrArn}`)
  return found.definition.reservedConcurrency ?? UNRESERVED_CONCURRENCY
}
