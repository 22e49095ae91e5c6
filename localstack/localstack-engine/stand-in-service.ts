import { isDeepStrictEqual } from 'node:util'
import * as v from 'valibot'
import type { LocalAccount } from '#localstack/assembly/local-account.ts'
import type { Physical, StandIn } from '#localstack/assembly/stand-in.ts'
import { removeCustomResource } from '#localstack/assembly/stand-ins/custom-resources.ts'
import { standInFor } from '#localstack/assembly/stand-ins.ts'
import { executedProperties } from '#localstack/assembly/template/executed-properties.ts'
import type { Request, Service } from '#localstack/endpoint/exchange.ts'
import { placeholderFor } from './placeholders.ts'

const path = '/_tidemark/localstack/resources'

const question = v.object({
  action: v.picklist(['bring up', 'take down']),
  type: v.string(),
  id: v.string(),
  properties: v.record(v.string(), v.unknown()),
})

type Question = v.InferOutput<typeof question>

/** The properties with which a resource was brought up, and the identifiers that it got. */
type Known = { properties: unknown; physical: Physical }

/** Types whose stand-in starts a server. A server that runs is not changed. */
const servers: ReadonlySet<string> = new Set(['AWS::ECS::Service', 'AWS::MSK::Cluster', 'AWS::RDS::DBInstance'])

/** Serves the requests of CloudFormation within LocalStack about resources that LocalStack does not have itself. */
export type StandInService = {
  service: Service
  /**
   * The stand-in of a type. The service keeps what it brings up, so that CloudFormation gets the same resource when it
   * asks for one that the engine has brought up before.
   */
  standInFor: (type: string) => StandIn | undefined
  /**
   * The error of the first resource that could not be brought up, or undefined. CloudFormation reports only its
   * message.
   */
  failure(): unknown
}

/**
 * Brings resources up with the embedded engine's stand-ins, so that `Ref` and `Fn::GetAtt` return the same in both
 * engines.
 */
export function makeStandInService(account: () => LocalAccount): StandInService {
  const up = new Map<string, Known>()
  let failure: unknown

  function find(type: string): StandIn | undefined {
    const standIn = standInFor(type) ?? placeholderFor(type)
    if (standIn === undefined) return undefined
    return {
      ...standIn,
      bringUp: async (id, given, account) => {
        const properties = asText(given)
        const before = up.get(id)
        if (before !== undefined && isDeepStrictEqual(before.properties, properties)) return before.physical
        if (before !== undefined && servers.has(type)) {
          throw new Error(`${id}: a running ${type} cannot be changed. Stop the stack and start it again.`)
        }
        const physical = await standIn.bringUp(id, given, account)
        up.set(id, { properties, physical })
        return physical
      },
    }
  }

  async function bringUp({ type, id, properties }: Question): Promise<Physical> {
    const standIn = find(type)
    if (standIn === undefined) throw new Error(`${id}: there is no stand-in for ${type}`)
    return standIn.bringUp(id, executedProperties(properties, standIn), account())
  }

  async function takeDown({ id }: Question): Promise<void> {
    up.delete(id)
    // Servers and topics end with the stack and their data stays, as with "npm start".
    await removeCustomResource(id, account())
  }

  async function answer({ body }: Request) {
    const asked = v.parse(question, JSON.parse(body.toString()))
    if (asked.action === 'take down') {
      await takeDown(asked)
      return { status: 200, body: {} }
    }
    const { ref, attributes = {} } = await bringUp(asked)
    const secret = account().secrets.get(ref)
    return { status: 200, body: { ref, attributes, ...(secret !== undefined && { secret }) } }
  }

  return {
    service: async (request) => {
      if (request.method !== 'POST' || request.path !== path) return undefined
      try {
        return await answer(request)
      } catch (error) {
        failure ??= error
        return { status: 500, body: { message: (error as Error).message } }
      }
    },
    standInFor: find,
    failure: () => failure,
  }
}

/** CloudFormation expects the numbers and booleans in attributes as text. */
function asText(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asText)
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, asText(item)]))
}
