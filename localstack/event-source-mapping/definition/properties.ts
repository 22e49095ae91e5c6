/** Properties of an AWS::Lambda::EventSourceMapping, resolved, or those of a call that creates or updates one. */
export type Properties = Record<string, unknown>

/** A mapping that AWS would refuse, too, with the name of its error. */
export class MappingRefusedError extends Error {
  override readonly name = 'MappingRefusedError'
  readonly errorType: 'InvalidParameterValueException' | 'ValidationException'

  constructor(message: string, errorType: MappingRefusedError['errorType']) {
    super(message)
    this.errorType = errorType
  }
}

/** What is wrong with a mapping, for whoever wrote it. */
export function refuse(problem: string): never {
  throw new MappingRefusedError(`event source mapping: ${problem}`, 'InvalidParameterValueException')
}

/** Refuses a value that breaks a constraint of the API, in AWS's words. `member` is the API's name of it. */
export function refuseValue(value: unknown, member: string, constraint: string): never {
  const failed = `Value '${value}' at '${member}' failed to satisfy constraint: Member must ${constraint}`
  throw new MappingRefusedError(`event source mapping: 1 validation error detected: ${failed}`, 'ValidationException')
}

/** Refuses a text that is not as long as the API allows, or does not match its pattern. */
export function constrain(
  value: string,
  member: string,
  { least, most, pattern }: { least: number; most: number; pattern: string },
): string {
  if (value.length < least) refuseValue(value, member, `have length greater than or equal to ${least}`)
  if (value.length > most) refuseValue(value, member, `have length less than or equal to ${most}`)
  if (!new RegExp(`^(?:${pattern})$`).test(value)) {
    refuseValue(value, member, `satisfy regular expression pattern: ${pattern}`)
  }
  return value
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
  const problem = `event source mapping: ${name} must be a whole number from ${least} to ${most}, not ${value}`
  throw new MappingRefusedError(problem, 'ValidationException')
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
