/** Runtimes with AWS's own client. Handlers with a callback are for those before `nodejs24.x`. */
export const nodeRuntimes = ['nodejs18.x', 'nodejs20.x', 'nodejs22.x', 'nodejs24.x'] as const
export type NodeRuntime = (typeof nodeRuntimes)[number]

/** A function as the template defines it, with every intrinsic resolved. */
export type FunctionDefinition = {
  name: string
  /** `arn:aws:lambda:<region>:<account>:function:<name>` */
  arn: string
  /** `<file>.<export>`, as in the template. */
  handler: string
  /** The runtime it was written for; `nodejs24.x` when it is not said. All run on the Node of their host. */
  runtime?: NodeRuntime
  /** Directory of the unpacked bundle: the function's working directory and LAMBDA_TASK_ROOT. Or a .zip of it. */
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
