import type { MappingState } from '#core/status/health.ts'
import { MappingRefusedError, type Properties } from '#localstack/event-source-mapping/definition/properties.ts'
import { functionNameOf } from '#localstack/lambda-host/bundle/function-definition.ts'
import type { SigningKey } from '#localstack/stack-key.ts'
import type { Request, Response, Service } from './exchange.ts'
import { refuseUnsigned, restError } from './signed-calls.ts'

/** A mapping that runs, with the properties from which it was made. */
export type ListedMapping = {
  uuid: string
  arn: string
  functionArn: string
  properties: Properties
  consumerGroupId: string
  state: MappingState
  lastError: string | undefined
  changedAt: Date
}

/**
 * The mappings that the API reads and changes. The methods throw a MappingRefusedError for a request that AWS would
 * refuse.
 */
export type Mappings = {
  list(): ListedMapping[]
  create(properties: Properties): ListedMapping
  update(uuid: string, request: Properties): ListedMapping
  remove(uuid: string): ListedMapping
}

const path = /^\/2015-03-31\/event-source-mappings(?:\/(?<uuid>[^/]+))?\/?$/

/** Lambda's ListEventSourceMappings, and Get-, Create-, Update- and DeleteEventSourceMapping. */
export function makeMappingsApi(mappings: Mappings, key: SigningKey | undefined): Service {
  return async (request) => {
    const match = path.exec(request.path)
    if (match === null) return undefined
    const uuid = match.groups!['uuid']
    const work = uuid === undefined ? ofAll(mappings, request) : ofOne(mappings, uuid, request)
    if (work === undefined) return undefined
    if (request.method !== 'GET') {
      const refusal = await refuseUnsigned(key, request)
      if (refusal !== undefined) return refusal
    }
    try {
      return work()
    } catch (error) {
      if (error instanceof MappingRefusedError) return restError(400, error.errorType, error.message)
      throw error
    }
  }
}

function ofAll(mappings: Mappings, { method, query, body }: Request): (() => Response) | undefined {
  if (method === 'POST') return () => ({ status: 202, body: describe(mappings.create(readBody(body))) })
  if (method !== 'GET') return undefined
  return () => {
    const source = query.get('EventSourceArn')
    const name = query.get('FunctionName')
    const found = mappings
      .list()
      .filter(({ properties }) => source === null || properties['EventSourceArn'] === source)
      .filter(({ functionArn }) => name === null || functionNameOf(functionArn) === functionNameOf(name))
    const first = Number(query.get('Marker') ?? 0)
    const next = first + Math.min(100, Number(query.get('MaxItems') ?? 100))
    return {
      status: 200,
      body: {
        EventSourceMappings: found.slice(first, next).map(describe),
        ...(next < found.length && { NextMarker: String(next) }),
      },
    }
  }
}

function ofOne(mappings: Mappings, uuid: string, { method, body }: Request): (() => Response) | undefined {
  const known = mappings.list().find((each) => each.uuid === uuid)
  const works: Readonly<Record<string, (found: ListedMapping) => Response>> = {
    GET: (found) => ({ status: 200, body: describe(found) }),
    PUT: () => ({ status: 202, body: describe(mappings.update(uuid, readBody(body))) }),
    DELETE: () => ({ status: 202, body: describe(mappings.remove(uuid)) }),
  }
  const work = works[method]
  if (work === undefined) return undefined
  return () =>
    known === undefined
      ? restError(404, 'ResourceNotFoundException', `The resource you requested does not exist: ${uuid}`)
      : work(known)
}

function readBody(body: Buffer): Properties {
  try {
    return JSON.parse(body.toString() || '{}')
  } catch (error) {
    throw new MappingRefusedError(
      `the request is not JSON: ${(error as Error).message}`,
      'InvalidParameterValueException',
    )
  }
}

const groupConfigs = ['AmazonManagedKafkaEventSourceConfig', 'SelfManagedKafkaEventSourceConfig'] as const

/** AWS's EventSourceMappingConfiguration, with its defaults filled in. */
function describe({ uuid, properties, state, lastError, ...mapping }: ListedMapping) {
  const { FunctionName, Enabled, SelfManagedEventSource: source, Tags, ...shown } = properties
  const config = source === undefined ? groupConfigs[0] : groupConfigs[1]
  return {
    BatchSize: 100,
    BisectBatchOnFunctionError: false,
    DestinationConfig: { OnFailure: {} },
    FunctionResponseTypes: [],
    MaximumBatchingWindowInSeconds: 0.5,
    MaximumRecordAgeInSeconds: -1,
    MaximumRetryAttempts: -1,
    ...numbered(shown),
    ...(source !== undefined && { SelfManagedEventSource: source }),
    [config]: { ConsumerGroupId: mapping.consumerGroupId },
    UUID: uuid,
    EventSourceMappingArn: mapping.arn,
    FunctionArn: mapping.functionArn,
    LastModified: mapping.changedAt.getTime() / 1000,
    LastProcessingResult: lastError === undefined ? 'OK' : `PROBLEM: ${lastError}`,
    // On AWS a mapping stays enabled while its broker does not answer.
    State: state === 'Reconnecting' ? 'Enabled' : state === 'Deleted' ? 'Deleting' : state,
    StateTransitionReason: 'USER_INITIATED',
  }
}

/** CloudFormation accepts numbers and booleans as text; the API returns them as numbers and booleans. */
function numbered(properties: Properties): Properties {
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      name,
      typeof value === 'string' && /^-?\d+$/.test(value)
        ? Number(value)
        : value === 'true' || value === 'false'
          ? value === 'true'
          : value,
    ]),
  )
}
