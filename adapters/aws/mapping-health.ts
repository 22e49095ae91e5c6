import {
  type EventSourceMappingConfiguration,
  LambdaClient,
  ListEventSourceMappingsCommand,
} from '@aws-sdk/client-lambda'
import type { MappingHealth, MappingState } from '#core/status/health.ts'

/**
 * Reads the health of the event source mappings that deliver topics to these functions, or to all of the account. Lambda says of the last batch
 * whether it was processed; a mapping that has had none yet has no error.
 */
export function makeMappingHealth(
  functionNames: readonly string[] | 'all',
  client: Pick<LambdaClient, 'send'> = new LambdaClient({}),
): () => Promise<MappingHealth[]> {
  return async () => {
    const names = functionNames === 'all' ? [undefined] : functionNames
    const listed = await Promise.all(names.map((name) => listMappings(client, name)))
    return listed.flat().flatMap((mapping) => (mapping.Topics ?? []).map((topic) => healthOf(mapping, topic)))
  }
}

async function listMappings(client: Pick<LambdaClient, 'send'>, name: string | undefined) {
  const mappings: EventSourceMappingConfiguration[] = []
  let marker: string | undefined
  do {
    const command = new ListEventSourceMappingsCommand({
      ...(name && { FunctionName: name }),
      ...(marker && { Marker: marker }),
    })
    const page = await client.send(command)
    mappings.push(...(page.EventSourceMappings ?? []))
    marker = page.NextMarker
  } while (marker)
  return mappings
}

function healthOf(mapping: EventSourceMappingConfiguration, topic: string): MappingHealth {
  const { FunctionArn: functionName = '', State: state = 'Enabling', LastProcessingResult: result = '' } = mapping
  const problem = /^PROBLEM:\s*(.*)$/s.exec(result)?.[1]
  return { functionName, topic, state: state as MappingState, ...(problem !== undefined && { lastError: problem }) }
}
