import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import type { CustomResourceRecord } from '../deployment-record.ts'
import { arn, type LocalAccount } from '../local-account.ts'
import type { Physical, StandIn } from '../stand-in.ts'

const properties = v.looseObject({ ServiceToken: v.string() })

/**
 * How long to wait for the answer after the function has ended. It can be short, because the function PUTs its answer
 * before it ends.
 */
const ANSWER_MS = 1_000

type Request = 'Create' | 'Update' | 'Delete'

/**
 * A custom resource. Its function gets CloudFormation's event and answers to the ResponseURL: Create the first time,
 * later Update with the properties of the previous deployment, and Delete when the stack is removed.
 */
export const customResource = (type: string): StandIn => ({
  reads: 'all',
  ignores: new Set(),
  attributes: 'any',
  bringUp: async (id, given, account) => {
    const parsed = v.parse(properties, given)
    const before = account.record.get(id)
    if (account.purpose === 'remove') return takeDownLater(id, before, account)

    const now = { type, serviceToken: parsed.ServiceToken, properties: parsed }
    // The resource is recorded before its function is called, so that `reset` also removes what a failed Create has
    // begun.
    if (before === undefined) await account.record.set(id, { ...now, physicalId: id, data: {} })
    const answer = await account.step(`${functionOf(parsed.ServiceToken)} ${before ? 'Update' : 'Create'}`, () =>
      send(before ? 'Update' : 'Create', id, { ...now, physicalId: before?.physicalId ?? id }, before, account),
    )
    await account.record.set(id, { ...now, ...answer })
    return physical(answer)
  },
})

/** Deletes the resources of earlier deployments that the template no longer has. */
export async function removeForgotten(account: LocalAccount): Promise<void> {
  for (const id of account.record.ids()) {
    if (Object.hasOwn(account.stack.template.Resources, id)) continue
    await remove(id, account.record.get(id)!, account)
  }
}

/** Sends Delete to the resource's function. Does nothing when the record has no such resource. */
export async function removeCustomResource(id: string, account: LocalAccount): Promise<void> {
  const record = account.record.get(id)
  if (record !== undefined) await remove(id, record, account)
}

/**
 * Used when the stack is removed. The resource keeps its last answer, and its function is called only when all that it
 * depends on is up.
 */
function takeDownLater(id: string, record: CustomResourceRecord | undefined, account: LocalAccount): Physical {
  if (record === undefined) return { ref: id }
  account.removals.push(() => remove(id, record, account))
  return physical(record)
}

async function remove(id: string, record: CustomResourceRecord, account: LocalAccount): Promise<void> {
  await account.step(`${functionOf(record.serviceToken)} Delete`, () => send('Delete', id, record, undefined, account))
  await account.record.delete(id)
}

const physical = ({ physicalId, data }: Pick<CustomResourceRecord, 'physicalId' | 'data'>): Physical => ({
  ref: physicalId,
  attributes: data,
})

const functionOf = (serviceToken: string): string => serviceToken.split(':').at(-1)!

async function send(
  request: Request,
  id: string,
  resource: Omit<CustomResourceRecord, 'data'>,
  before: CustomResourceRecord | undefined,
  { stack, endpoint, functions, signal }: LocalAccount,
): Promise<Pick<CustomResourceRecord, 'physicalId' | 'data'>> {
  const token = randomUUID()
  const event = {
    RequestType: request,
    ServiceToken: resource.serviceToken,
    ResponseURL: endpoint.responseUrl(token),
    StackId: arn(stack, 'cloudformation', `stack/${stack.name}/local`),
    RequestId: token,
    LogicalResourceId: id,
    ResourceType: resource.type,
    ResourceProperties: asText(resource.properties),
    ...(request !== 'Create' && { PhysicalResourceId: resource.physicalId }),
    ...(before && { OldResourceProperties: asText(before.properties) }),
  }
  const payload = Buffer.from(JSON.stringify(event))
  const invoked = await unlessAborted(functions.invoke(resource.serviceToken, payload, { log: true }), signal)
  if (invoked.statusCode !== 200 || invoked.functionError !== undefined) {
    throw new Error(
      `${functionOf(resource.serviceToken)} failed at ${request} of ${id}: ${invoked.payload}\n${invoked.logTail}`,
    )
  }
  const { status, reason, physicalResourceId, data } = await endpoint.awaitResponse(token, ANSWER_MS)
  if (status === 'FAILED') {
    throw new Error(
      `${functionOf(resource.serviceToken)} could not ${request.toLowerCase()} ${id}: ${reason ?? 'no reason given'}`,
    )
  }
  return { physicalId: physicalResourceId, data }
}

/** Rejects when the stack stops, because a function that is stopped does not answer. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** CloudFormation passes every number and boolean on as text. */
function asText(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asText)
  if (typeof value !== 'object' || value === null) return value === null ? null : String(value)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asText(item)]))
}
