import type { StandIn } from '../stand-in.ts'
import type { TemplateValue } from './template.ts'

/** The properties that a stand-in reads, without the nested ones that it ignores. */
export function executedProperties(
  properties: Record<string, TemplateValue>,
  { reads, ignores }: Pick<StandIn, 'reads' | 'ignores'>,
): Record<string, TemplateValue> {
  const read = Object.entries(properties).filter(([name]) => reads === 'all' || reads.has(name))
  return without(Object.fromEntries(read), ignores, '') as Record<string, TemplateValue>
}

/** Returns the value without the properties that are ignored. The items of a list have the path of the list. */
function without(value: TemplateValue, ignores: ReadonlySet<string>, path: string): TemplateValue {
  if (Array.isArray(value)) return value.map((item) => without(item, ignores, path))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, item]) => [name, item, path ? `${path}.${name}` : name] as const)
  return Object.fromEntries(
    entries.filter(([, , at]) => !ignores.has(at)).map(([name, item, at]) => [name, without(item, ignores, at)]),
  )
}
