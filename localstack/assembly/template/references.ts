import type { Template, TemplateResource, TemplateValue } from './template.ts'

/**
 * A place where a value refers to a resource, parameter or pseudo parameter, by `Ref`, `Fn::GetAtt` or `${…}` in
 * `Fn::Sub`.
 */
export type Reference = { path: string; id: string; attribute?: string }

/** An intrinsic function that is not evaluated here. */
export type UnknownFunction = { path: string; name: string }

/** The intrinsic functions that intrinsics.ts evaluates. */
export const intrinsicFunctions: ReadonlySet<string> = new Set([
  'Ref',
  'Condition',
  ...['GetAtt', 'Join', 'Sub', 'Select', 'Split', 'FindInMap', 'ImportValue', 'Base64', 'ToJsonString'].map(
    (f) => `Fn::${f}`,
  ),
  ...['If', 'Equals', 'And', 'Or', 'Not'].map((f) => `Fn::${f}`),
])

/** The intrinsic function that an object calls; undefined when the object is plain data. */
export function callOf(value: object): { name: string; argument: TemplateValue } | undefined {
  const [entry, ...others] = Object.entries(value)
  if (entry === undefined || others.length > 0) return undefined
  const [name, argument] = entry
  const isCall = name === 'Ref' || name.startsWith('Fn::') || (name === 'Condition' && typeof argument === 'string')
  return isCall ? { name, argument } : undefined
}

/** Finds every reference within a value, and every function that is not known. */
export function findReferences(
  value: TemplateValue,
  path: string,
): { references: Reference[]; unknown: UnknownFunction[] } {
  const references: Reference[] = []
  const unknown: UnknownFunction[] = []
  visit(value, path)
  return { references, unknown }

  function visit(current: TemplateValue, at: string): void {
    if (typeof current !== 'object' || current === null) return
    if (Array.isArray(current)) {
      for (const [index, item] of current.entries()) visit(item, `${at}[${index}]`)
      return
    }
    const call = callOf(current)
    if (call !== undefined && !intrinsicFunctions.has(call.name)) unknown.push({ path: at, name: call.name })
    if (call !== undefined) references.push(...ownReferences(call.name, call.argument, at))
    for (const [key, item] of Object.entries(current)) visit(item, `${at}.${key}`)
  }
}

function ownReferences(name: string, argument: TemplateValue, path: string): Reference[] {
  if (name === 'Ref' && typeof argument === 'string') return [{ path, id: argument }]
  if (name === 'Fn::GetAtt') {
    const attribute = attributeOf(argument)
    return attribute === undefined ? [] : [{ path, ...attribute }]
  }
  if (name === 'Fn::Sub') {
    const [text, variables] = Array.isArray(argument) ? argument : [argument, {}]
    return [...String(text).matchAll(variablePattern)]
      .filter(([, literal, variable]) => !literal && !Object.hasOwn(variables, variable!))
      .map(([, , variable]) => ({ path, ...variableReference(variable!) }))
  }
  return []
}

/** Reads the argument of Fn::GetAtt. `['Id', 'Attribute']` and `'Id.Attribute'` mean the same. */
export function attributeOf(argument: TemplateValue): { id: string; attribute: string } | undefined {
  if (typeof argument === 'string') return argument.includes('.') ? splitAtDot(argument) : undefined
  if (!Array.isArray(argument)) return undefined
  const [id, attribute] = argument
  return typeof id === 'string' && typeof attribute === 'string' ? { id, attribute } : undefined
}

/** Matches `${Name}` and `${Name.Attribute}` in Fn::Sub. Group 1 is the `!` of `${!…}`, which is literal text. */
export const variablePattern = /\$\{(!?)\s*([^}]*?)\s*\}/g

/** The reference that `${Name}` or `${Name.Attribute}` makes. */
export function variableReference(variable: string): { id: string; attribute?: string } {
  return variable.includes('.') ? splitAtDot(variable) : { id: variable }
}

function splitAtDot(text: string): { id: string; attribute: string } {
  const at = text.indexOf('.')
  return { id: text.slice(0, at), attribute: text.slice(at + 1) }
}

/**
 * Logical ids of the resources that have to be up before this one: those to which it refers, and those in its
 * DependsOn.
 */
export function dependenciesOf(resource: TemplateResource, template: Template): Set<string> {
  const { references } = findReferences(resource.Properties ?? {}, 'Properties')
  const named = [resource.DependsOn ?? []].flat()
  return new Set([...references.map(({ id }) => id), ...named].filter((id) => Object.hasOwn(template.Resources, id)))
}

/** Throws an Error that names the cycle, when resources depend on each other in a cycle. */
export function refuseCycles(template: Template): void {
  const finished = new Set<string>()
  const visit = (id: string, trail: readonly string[]): void => {
    if (finished.has(id)) return
    if (trail.includes(id))
      throw new Error(`resources wait for each other: ${[...trail.slice(trail.indexOf(id)), id].join(' → ')}`)
    for (const dependency of dependenciesOf(template.Resources[id]!, template)) visit(dependency, [...trail, id])
    finished.add(id)
  }
  for (const id of Object.keys(template.Resources)) visit(id, [])
}
