/** Properties of an AWS::Lambda::EventSourceMapping, resolved, or those of a call that creates or updates one. */
export type Properties = Record<string, unknown>

/** What is wrong with a mapping, for whoever wrote it. */
export function refuse(problem: string): never {
  throw new Error(`event source mapping: ${problem}`)
}

export function text(properties: Properties, name: string): string {
  const value = properties[name]
  if (typeof value === 'string' && value !== '') return value
  return refuse(`${name} is missing`)
}

/** CloudFormation takes numbers as text, too. */
export function whole(properties: Properties, name: string, least: number, most: number): number | undefined {
  const value = properties[name]
  if (value === undefined) return undefined
  const number = Number(value)
  if (Number.isInteger(number) && number >= least && number <= most) return number
  return refuse(`${name} must be a whole number from ${least} to ${most}, not ${value}`)
}

/** CloudFormation takes `true` and `"true"`. */
export function truth(properties: Properties, name: string, otherwise: boolean): boolean {
  const value = String(properties[name] ?? otherwise)
  if (value === 'true' || value === 'false') return value === 'true'
  return refuse(`${name} must be true or false, not ${value}`)
}

/** The object of a property; refuses what is neither in `names` nor asks for what happens anyway. */
export function members(properties: Properties, name: string, names: string[], withoutEffect: Properties = {}) {
  const value = properties[name]
  if (value === undefined) return undefined
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return refuse(`${name} must be an object`)
  for (const [member, content] of Object.entries(value)) {
    if (names.includes(member) || content === undefined || withoutEffect[member] === content) continue
    refuse(`${name}.${member} is not supported locally yet`)
  }
  return value as Properties
}
