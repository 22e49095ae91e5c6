import type { StandIn } from '../stand-in.ts'
import { executedProperties } from './executed-properties.ts'
import { noLocalMeaning } from './no-local-meaning.ts'
import { pseudoParameters } from './pseudo-parameters.ts'
import { findReferences, type Reference, refuseCycles } from './references.ts'
import type { Template, TemplateResource, TemplateValue } from './template.ts'

/** The template cannot be executed here. The message names every resource and place that is a reason. */
export class UnsupportedTemplateError extends Error {
  override name = 'UnsupportedTemplateError'
}

type FindStandIn = (type: string) => StandIn | undefined

/**
 * Refuses a template before anything starts, when it has a resource type or property without a stand-in, a reference
 * that cannot have a value, or resources that depend on each other.
 */
export function checkTemplate(template: Template, standInFor: FindStandIn): void {
  const findings = [
    ...Object.entries(template.Resources).flatMap(([id, resource]) =>
      checkResource(id, resource, template, standInFor),
    ),
    ...Object.entries(template.Outputs ?? {}).flatMap(([id, { Value }]) =>
      checkValue(Value, `Outputs.${id}.Value`, template, standInFor),
    ),
  ]
  if (findings.length > 0)
    throw new UnsupportedTemplateError(`the template cannot be executed here:\n${findings.join('\n')}`)
  refuseCycles(template)
}

function checkResource(id: string, resource: TemplateResource, template: Template, standInFor: FindStandIn): string[] {
  const { Type, Properties = {} } = resource
  if (noLocalMeaning.has(Type)) return []
  const standIn = standInFor(Type)
  if (standIn === undefined) return [`${id}: there is no stand-in for ${Type}`]
  const { reads, ignores } = standIn
  const unknown = Object.keys(Properties).filter((name) => reads !== 'all' && !reads.has(name) && !ignores.has(name))
  return [
    ...unknown.map((name) => `${id}.Properties.${name}: the stand-in for ${Type} does not know this property`),
    ...checkValue(executedProperties(Properties, standIn), `${id}.Properties`, template, standInFor),
  ]
}

function checkValue(value: TemplateValue, path: string, template: Template, standInFor: FindStandIn): string[] {
  const { references, unknown } = findReferences(value, path)
  return [
    ...unknown.map(({ path: at, name }) => `${at}: ${name} is not evaluated here`),
    ...references.flatMap((reference) => checkReference(reference, template, standInFor) ?? []),
  ]
}

function checkReference(
  { path, id, attribute }: Reference,
  template: Template,
  standInFor: FindStandIn,
): string | undefined {
  if (pseudoParameters.has(id)) return undefined
  if (Object.hasOwn(template.Parameters ?? {}, id)) return undefined
  const target = template.Resources[id]
  if (target === undefined) return `${path}: there is no ${id}`
  const standIn = standInFor(target.Type)
  if (standIn === undefined) return `${path}: it takes a value of ${id}, and ${target.Type} has no stand-in here`
  if (attribute === undefined || standIn.attributes === 'any' || standIn.attributes.has(attribute)) return undefined
  return `${path}: the stand-in for ${target.Type} has no attribute ${attribute}`
}
