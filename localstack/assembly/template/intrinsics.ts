import { attributeOf, callOf, variablePattern, variableReference } from './references.ts'
import type { Template, TemplateValue } from './template.ts'

/** Looks up references. Each function throws an Error with the reason when there is no value. */
export type Scope = {
  template: Pick<Template, 'Mappings' | 'Conditions'>
  /** The value of `Ref`: a resource's physical id, a parameter's value, or a pseudo parameter. */
  ref: (id: string) => unknown
  attribute: (id: string, attribute: string) => unknown
  /** The value that another stack exports under this name. */
  exported: (name: string) => unknown
  /** The value of `{{resolve:<service>:<reference>}}`. */
  dynamic: (service: string, reference: string) => string
}

/** An intrinsic function cannot be evaluated here. The message begins with its place in the template. */
export class UnresolvedIntrinsicError extends Error {
  override name = 'UnresolvedIntrinsicError'
}

/** `AWS::NoValue`, which removes the property. */
const noValue = Symbol('AWS::NoValue')

/** The value with every intrinsic function evaluated, by CloudFormation's rules. Throws an UnresolvedIntrinsicError. */
export function resolve(value: TemplateValue, scope: Scope, path: string): unknown {
  const resolved = evaluate(value, scope, path)
  return resolved === noValue ? undefined : resolved
}

/** Whether a resource or output with this condition exists. */
export function holds(condition: string, scope: Scope, path: string): boolean {
  const expression = scope.template.Conditions?.[condition]
  if (expression === undefined) throw unresolved(path, `there is no condition ${condition}`)
  return truth(evaluate(expression, scope, `Conditions.${condition}`), path)
}

function evaluate(value: TemplateValue, scope: Scope, path: string): unknown {
  if (typeof value === 'string') return withDynamicReferences(value, scope, path)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    return value.map((item, index) => evaluate(item, scope, `${path}[${index}]`)).filter((item) => item !== noValue)
  }
  const call = callOf(value)
  if (call !== undefined) return callFunction(call.name, call.argument, scope, path)
  const entries = Object.entries(value).map(([key, item]) => [key, evaluate(item, scope, `${path}.${key}`)] as const)
  return Object.fromEntries(entries.filter(([, item]) => item !== noValue))
}

type Intrinsic = (argument: TemplateValue, scope: Scope, path: string) => unknown

const intrinsics: Readonly<Record<string, Intrinsic>> = {
  Ref: (id, scope, path) => (id === 'AWS::NoValue' ? noValue : lookUp(() => scope.ref(text(id, path)), path)),
  Condition: (name, scope, path) => holds(text(name, path), scope, path),
  'Fn::GetAtt': getAttribute,
  'Fn::Join': (argument, scope, path) => {
    const [delimiter, items] = list(evaluate(argument, scope, path), 2, path)
    const parts = list(items, undefined, path).map((item) => text(item, path))
    return withDynamicReferences(parts.join(text(delimiter, path)), scope, path)
  },
  'Fn::Sub': substitute,
  'Fn::Select': (argument, scope, path) => {
    const [index, items] = list(evaluate(argument, scope, path), 2, path)
    const item = list(items, undefined, path)[Number(index)]
    if (item === undefined) throw unresolved(path, `there is no item ${index}`)
    return item
  },
  'Fn::Split': (argument, scope, path) => {
    const [delimiter, whole] = list(evaluate(argument, scope, path), 2, path)
    return text(whole, path).split(text(delimiter, path))
  },
  'Fn::FindInMap': (argument, scope, path) => {
    const [map, first, second] = list(evaluate(argument, scope, path), undefined, path).map(String)
    const found = scope.template.Mappings?.[map!]?.[first!]?.[second!]
    if (found === undefined) throw unresolved(path, `the mapping ${map} has no ${first}.${second}`)
    return found
  },
  'Fn::ImportValue': (argument, scope, path) => {
    const name = text(evaluate(argument, scope, path), path)
    return lookUp(() => scope.exported(name), path)
  },
  'Fn::Base64': (argument, scope, path) => Buffer.from(text(evaluate(argument, scope, path), path)).toString('base64'),
  'Fn::ToJsonString': (argument, scope, path) => JSON.stringify(evaluate(argument, scope, path)),
  'Fn::If': (argument, scope, path) => {
    const [condition, yes, no] = list(argument, 3, path)
    return evaluate(holds(text(condition, path), scope, path) ? yes : no, scope, path)
  },
  'Fn::Equals': (argument, scope, path) => {
    const [left, right] = list(evaluate(argument, scope, path), 2, path)
    return JSON.stringify(left) === JSON.stringify(right)
  },
  'Fn::And': (argument, scope, path) => conditions(argument, scope, path).every(Boolean),
  'Fn::Or': (argument, scope, path) => conditions(argument, scope, path).some(Boolean),
  'Fn::Not': (argument, scope, path) => !conditions(argument, scope, path)[0],
}

function callFunction(name: string, argument: TemplateValue, scope: Scope, path: string): unknown {
  const intrinsic = intrinsics[name]
  if (intrinsic === undefined) throw unresolved(path, `${name} is not evaluated here`)
  return intrinsic(argument, scope, `${path}.${name}`)
}

function getAttribute(argument: TemplateValue, scope: Scope, path: string): unknown {
  const asked = attributeOf(evaluate(argument, scope, path))
  if (asked === undefined) throw unresolved(path, 'it is not [logical id, attribute]')
  return lookUp(() => scope.attribute(asked.id, asked.attribute), path)
}

function substitute(argument: TemplateValue, scope: Scope, path: string): string {
  const [template, given] = Array.isArray(argument) ? argument : [argument, {}]
  const variables = evaluate(given, scope, path) as Record<string, unknown>
  const result = text(template, path).replaceAll(variablePattern, (_whole, literal: string, name: string) => {
    if (literal) return `\${${name}}`
    if (Object.hasOwn(variables, name)) return text(variables[name], path)
    const { id, attribute } = variableReference(name)
    const value = lookUp(() => (attribute === undefined ? scope.ref(id) : scope.attribute(id, attribute)), path)
    return text(value, path)
  })
  return withDynamicReferences(result, scope, path)
}

function conditions(argument: TemplateValue, scope: Scope, path: string): boolean[] {
  return list(evaluate(argument, scope, path), undefined, path).map((value) => truth(value, path))
}

function withDynamicReferences(value: string, scope: Scope, path: string): string {
  return value.replaceAll(/\{\{resolve:([a-z-]+):([^{}]*)\}\}/g, (_whole, service: string, reference: string) =>
    text(
      lookUp(() => scope.dynamic(service, reference), path),
      path,
    ),
  )
}

function lookUp(find: () => unknown, path: string): unknown {
  try {
    return find()
  } catch (cause) {
    throw unresolved(path, (cause as Error).message, cause)
  }
}

function list(value: unknown, length: number | undefined, path: string): unknown[] {
  if (Array.isArray(value) && (length === undefined || value.length === length)) return value
  throw unresolved(path, length === undefined ? 'it is not a list' : `it is not a list of ${length}`)
}

function text(value: unknown, path: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw unresolved(path, `${JSON.stringify(value)} is not text`)
}

function truth(value: unknown, path: string): boolean {
  if (typeof value === 'boolean') return value
  throw unresolved(path, `${JSON.stringify(value)} is not a condition`)
}

function unresolved(path: string, reason: string, cause?: unknown): UnresolvedIntrinsicError {
  return new UnresolvedIntrinsicError(`${path}: ${reason}`, { cause })
}
