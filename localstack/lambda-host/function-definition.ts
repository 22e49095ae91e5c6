/** A function as the template defines it, with every intrinsic resolved. */
export type FunctionDefinition = {
  name: string
  /** `arn:aws:lambda:<region>:<account>:function:<name>` */
  arn: string
  /** `<file>.<export>`, as in the template. */
  handler: string
  /** Directory of the unpacked bundle: the function's working directory and LAMBDA_TASK_ROOT. */
  codeDirectory: string
  environment: Record<string, string>
  timeoutSeconds: number
  memoryMb: number
  /** How many invocations may run at once; 0 refuses all of them. */
  reservedConcurrency?: number
}

/** The function's name in `name`, `name:$LATEST`, `account:function:name` or a full ARN; undefined for another version. */
export function functionNameOf(nameOrArn: string): string | undefined {
  const match = /^(?:(?:arn:[^:]+:lambda:[^:]*:)?\d*:?function:)?([\w-]+)(?::([\w$-]+))?$/.exec(nameOrArn)
  if (match === null) return undefined
  const [, name, qualifier = '$LATEST'] = match
  return qualifier === '$LATEST' ? name : undefined
}
