// How does a synthesized template become running servers and functions on one machine?

import { resolveDynamicReference } from './dynamic-reference.ts'
import type { LocalAccount } from './local-account.ts'
import type { Physical, StandIn } from './stand-in.ts'
import { executedProperties } from './template/executed-properties.ts'
import { holds, resolve, type Scope } from './template/intrinsics.ts'
import { pseudoParameter, pseudoParameters } from './template/pseudo-parameters.ts'
import { dependenciesOf } from './template/references.ts'
import type { TemplateParameter, TemplateResource } from './template/template.ts'

/** The stack's outputs by logical id. */
export type Outputs = Record<string, string>

/**
 * Brings up every resource of the template that has a stand-in, each as soon as all that it depends on is up. Returns
 * the stack's outputs. The template must have passed `checkTemplate`. If a resource fails, `abort` is called at
 * once, so that resources that are still starting end soon. Then the promise rejects with the first failure.
 */
export async function deploy(
  account: LocalAccount,
  standInFor: (type: string) => StandIn | undefined,
  abort: (reason: unknown) => void,
): Promise<Outputs> {
  const { template } = account.stack
  const physical = new Map<string, Physical>()
  const scope = makeScope(account, physical)
  const started = new Map<string, Promise<void>>()

  const start = (id: string): Promise<void> => {
    const known = started.get(id)
    if (known !== undefined) return known
    const task = bringUp(id, template.Resources[id]!)
    started.set(id, task)
    return task
  }
  const bringUp = async (id: string, resource: TemplateResource): Promise<void> => {
    await Promise.all([...dependenciesOf(resource, template)].map(start))
    account.signal.throwIfAborted()
    const standIn = standInFor(resource.Type)
    if (standIn === undefined) return
    if (resource.Condition !== undefined && !holds(resource.Condition, scope, id)) return
    const properties = resolve(executedProperties(resource.Properties ?? {}, standIn), scope, `${id}.Properties`)
    physical.set(id, await standIn.bringUp(id, properties, account))
  }

  const tasks = Object.keys(template.Resources).map(start)
  for (const task of tasks) task.catch(abort)
  const outcomes = await Promise.allSettled(tasks)
  account.signal.throwIfAborted()
  const failure = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  return resolveOutputs(account, scope)
}

function resolveOutputs({ stack }: LocalAccount, scope: Scope): Outputs {
  const outputs = Object.entries(stack.template.Outputs ?? {})
  const present = outputs.filter(([id, { Condition }]) => Condition === undefined || holds(Condition, scope, id))
  return Object.fromEntries(
    present.map(([id, { Value }]) => [id, String(resolve(Value, scope, `Outputs.${id}.Value`))]),
  )
}

function makeScope({ stack, secrets }: LocalAccount, physical: Map<string, Physical>): Scope {
  const { template } = stack
  const resource = (id: string): Physical => {
    const found = physical.get(id)
    if (found === undefined)
      throw new Error(`${id} (${template.Resources[id]?.Type ?? 'undeclared'}) is not a resource of this stack`)
    return found
  }
  return {
    template,
    ref: (id) => {
      if (pseudoParameters.has(id)) return pseudoParameter(id, stack)
      const parameter = template.Parameters?.[id]
      return parameter === undefined ? resource(id).ref : parameterValue(id, parameter)
    },
    attribute: (id, attribute) => {
      const value = resource(id).attributes?.[attribute]
      if (value === undefined) throw new Error(`${id} has no attribute ${attribute}`)
      return value
    },
    exported: (name) => {
      throw new Error(`no other stack exports ${name}`)
    },
    dynamic: (service, reference) => resolveDynamicReference(service, reference, secrets),
  }
}

/**
 * Returns the parameter's default. The default of a parameter of an SSM type is the name of a value which is not
 * available here.
 */
function parameterValue(id: string, { Type, Default }: TemplateParameter): string | number {
  if (Default !== undefined && !Type.startsWith('AWS::SSM::')) return Default
  throw new Error(`parameter ${id} of type ${Type} has no value here`)
}
