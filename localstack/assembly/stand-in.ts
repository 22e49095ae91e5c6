import * as v from 'valibot'
import type { LocalAccount } from './local-account.ts'

/** The identifiers of a resource that is up: the value of `Ref`, and the values of `Fn::GetAtt` by name. */
export type Physical = { ref: string; attributes?: Record<string, unknown> }

/** What runs on one machine in place of the resources of one type. */
export type StandIn = {
  /** Properties that it uses. They are resolved; an intrinsic function without a value in one of them is an error. */
  reads: ReadonlySet<string> | 'all'
  /**
   * Properties without effect here, as `A` or `A.B`. Any other property is an error, because the local stack would
   * silently differ from AWS.
   */
  ignores: ReadonlySet<string>
  /** The attributes that `Fn::GetAtt` may ask for. */
  attributes: ReadonlySet<string> | 'any'
  /** Starts the resource, or changes it to match the properties. `id` is the logical id. */
  bringUp: (id: string, properties: unknown, account: LocalAccount) => Physical | Promise<Physical>
}

/** Makes a stand-in. Its properties are checked against `properties` before it is brought up. */
export function makeStandIn<const Entries extends v.ObjectEntries>(definition: {
  properties: Entries
  ignores?: readonly string[]
  attributes?: readonly string[]
  bringUp: (
    id: string,
    properties: v.InferOutput<v.ObjectSchema<Entries, undefined>>,
    account: LocalAccount,
  ) => Physical | Promise<Physical>
}): StandIn {
  const schema = v.object(definition.properties)
  return {
    reads: new Set(Object.keys(definition.properties)),
    ignores: new Set(definition.ignores),
    attributes: new Set(definition.attributes),
    bringUp: (id, properties, account) => {
      const parsed = v.safeParse(schema, properties)
      if (parsed.success) return definition.bringUp(id, parsed.output, account)
      const issue = parsed.issues[0]
      throw new Error(`${id}.Properties.${v.getDotPath(issue) ?? ''}: ${issue.message}`)
    },
  }
}

/** CloudFormation also accepts numbers and booleans as text. */
export const number = v.pipe(v.union([v.number(), v.string()]), v.transform(Number), v.finite())
export const boolean = v.pipe(
  v.union([v.boolean(), v.picklist(['true', 'false'])]),
  v.transform((value) => value === true || value === 'true'),
)
