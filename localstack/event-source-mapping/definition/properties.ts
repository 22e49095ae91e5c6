/** Resolved properties of an AWS::Lambda::EventSourceMapping, or those of a call that creates or updates one. */
export type Properties = Record<string, unknown>

/** AWS would refuse the mapping, too. `errorType` is the name of AWS's error. */
export class MappingRefusedError extends Error {
  override readonly name = 'MappingRefusedError'
  readonly errorType: 'InvalidParameterValueException' | 'ValidationException'

  constructor(message: string, errorType: MappingRefusedError['errorType']) {
    super(message)
    this.errorType = errorType
  }
}

/** Throws an Error that says what is wrong with a mapping. */
export function refuse(problem: string): never {
  throw new MappingRefusedError(`event source mapping: ${problem}`, 'InvalidParameterValueException')
}

/** Refuses a value that breaks a constraint of the API, with AWS's text. `member` is the API's name of the value. */
export function refuseValue(value: unknown, member: string, constraint: string): never {
  const failed = `Value '${value}' at '${member}' failed to satisfy constraint: Member must ${constraint}`
  throw new MappingRefusedError(`event source mapping: 1 validation error detected: ${failed}`, 'ValidationException')
}

/** Returns the text, or refuses it when its length or pattern is not what the API allows. */
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

/** Reads a whole number, which CloudFormation also accepts as text. */
export function whole(properties: Properties, name: string, least: number, most: number): number | undefined {
  const value = properties[name]
  if (value === undefined) return undefined
  const number = Number(value)
  if (Number.isInteger(number) && number >= least && number <= most) return number
  const problem = `event source mapping: ${name} must be a whole number from ${least} to ${most}, not ${value}`
  throw new MappingRefusedError(problem, 'ValidationException')
}

/** Reads a boolean. CloudFormation accepts `true` and `"true"`. */
export function truth(properties: Properties, name: string, otherwise: boolean): boolean {
  const value = String(properties[name] ?? otherwise)
  if (value === 'true' || value === 'false') return value === 'true'
  return refuse(`${name} must be true or false, not ${value}`)
}

/**
 * Returns the object of a property. Refuses a member that is not in `names`, unless its value is the one in
 * `withoutEffect`, which asks for what happens anyway.
 */
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
