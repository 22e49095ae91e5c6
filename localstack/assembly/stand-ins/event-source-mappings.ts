import { startEventSourceMapping } from '#localstack/event-source-mapping/event-source-mapping.ts'
import { readMapping } from '#localstack/event-source-mapping/mapping-definition.ts'
import { functionNameOf } from '#localstack/lambda-host/function-definition.ts'
import { bootstrapServers, clusterTrust, type LocalAccount, objectStoreUrl } from '../local-account.ts'
import type { StandIn } from '../stand-in.ts'

/** What AWS allows a function that reserves no concurrency, in a new account. */
const UNRESERVED_CONCURRENCY = 10

/** Our poller. It checks the properties itself. */
export const eventSourceMapping: StandIn = {
  reads: 'all',
  ignores: new Set(),
  attributes: new Set(['Id']),
  bringUp: (id, properties, account) => {
    const ref = `${account.stack.name}-${id}`
    if (account.purpose === 'remove') return { ref, attributes: { Id: ref } }
    const definition = readMapping(properties as Record<string, unknown>)
    const mapping = startEventSourceMapping(definition, {
      id: ref,
      bootstrapServers: bootstrapServers(account.settings),
      ...clusterTrust(account, definition.eventSourceArn),
      invoke: (payload, functionName) => account.functions.invoke(functionName, payload),
      awsEndpoints: { s3: objectStoreUrl(account.settings), key: account.key },
      readSecret: async (arn) => readSecret(account, arn),
      concurrency: concurrencyOf(definition.functionName, account),
      onEvent: (event) =>
        account.log('event-source-mappings', `${new Date().toISOString()} ${id} ${JSON.stringify(event)}`),
    })
    account.mappings.set(id, { definition, mapping })
    return { ref, attributes: { Id: ref } }
  },
}

function readSecret({ secrets }: LocalAccount, arn: string): string {
  const secret = secrets.get(arn)
  if (secret === undefined) throw new Error(`there is no secret ${arn}`)
  return secret
}

function concurrencyOf(nameOrArn: string, { functions }: LocalAccount): number {
  const name = functionNameOf(nameOrArn)
  const found = functions.list().find(({ definition }) => definition.name === name)
  if (found === undefined) throw new Error(`there is no function ${nameOrArn}`)
  return found.definition.reservedConcurrency ?? UNRESERVED_CONCURRENCY
}
