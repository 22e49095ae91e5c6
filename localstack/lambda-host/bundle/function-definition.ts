/** Runtimes for which AWS has its own client. Only those before `nodejs24.x` have handlers with a callback. */
export const nodeRuntimes = ['nodejs18.x', 'nodejs20.x', 'nodejs22.x', 'nodejs24.x'] as const
export type NodeRuntime = (typeof nodeRuntimes)[number]

/** A function as the template defines it, with every intrinsic resolved. */
export type FunctionDefinition = {
  name: string
  /** `arn:aws:lambda:<region>:<account>:function:<name>` */
  arn: string
  /** `<file>.<export>`, as in the template. */
  handler: string
  /** The runtime for which it was written; `nodejs24.x` if absent. All functions run on the Node of their host. */
  runtime?: NodeRuntime
  /**
   * The directory of the unpacked bundle, or a .zip of it. It is the function's working directory and LAMBDA_TASK_ROOT.
   */
  codeDirectory: string
  environment: Record<string, string>
  timeoutSeconds: number
  memoryMb: number
  /** How many invocations may run at once; 0 refuses all of them. */
  reservedConcurrency?: number
}

/**
 * The function's name in `name`, `name:$LATEST`, `account:function:name` or a full ARN; undefined for another version.
 */
export function functionNameOf(nameOrArn: string): string | undefined {
  const match = /^(?:(?:arn:[^:]+:lambda:[^:]*:)?\d*:?function:)?([\w-]+)(?::([\w$-]+))?$/.exec(nameOrArn)
  if (match === null) return undefined
  const [, name, qualifier = '$LATEST'] = match
  return qualifier === '$LATEST' ? name : undefined
}
