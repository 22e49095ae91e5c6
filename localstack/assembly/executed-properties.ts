import type { StandIn } from './stand-in.ts'
import type { TemplateValue } from './template.ts'

/** The properties a stand-in acts on, without what it ignores within them. */
export function executedProperties(
  properties: Record<string, TemplateValue>,
  { reads, ignores }: Pick<StandIn, 'reads' | 'ignores'>,
): Record<string, TemplateValue> {
  const read = Object.entries(properties).filter(([name]) => reads === 'all' || reads.has(name))
  return without(Object.fromEntries(read), ignores, '') as Record<string, TemplateValue>
}

/** Items of a list have the list's own path. */
function without(value: TemplateValue, ignores: ReadonlySet<string>, path: string): TemplateValue {
  if (Array.isArray(value)) return value.map((item) => without(item, ignores, path))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, item]) => [name, item, path ? `${path}.${name}` : name] as const)
  return Object.fromEntries(
    entries.filter(([, , at]) => !ignores.has(at)).map(([name, item, at]) => [name, without(item, ignores, at)]),
  )
}
