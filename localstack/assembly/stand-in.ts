import * as v from 'valibot'
import type { LocalAccount } from './local-account.ts'

/** What a resource has become: what `Ref` gives, and what `Fn::GetAtt` gives by name. */
export type Physical = { ref: string; attributes?: Record<string, unknown> }

/** What stands on one machine for resources of a type. */
export type StandIn = {
  /** Properties it acts on; they are resolved, and an intrinsic without a value in them is an error. */
  reads: ReadonlySet<string> | 'all'
  /** Properties that mean nothing here, `A` or `A.B`. Any further one is an error: it would be a silent difference. */
  ignores: ReadonlySet<string>
  /** What `Fn::GetAtt` may ask for. */
  attributes: ReadonlySet<string> | 'any'
  /** Brings it up, or back to what the properties say. `id` is the logical id. */
  bringUp: (id: string, properties: unknown, account: LocalAccount) => Physical | Promise<Physical>
}

/** A stand-in whose properties are checked against `properties` before it is brought up. */
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

/** CloudFormation takes numbers and booleans as text too. */
export const number = v.pipe(v.union([v.number(), v.string()]), v.transform(Number), v.finite())
export const boolean = v.pipe(
  v.union([v.boolean(), v.picklist(['true', 'false'])]),
  v.transform((value) => value === true || value === 'true'),
)
