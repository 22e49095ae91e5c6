// The health of servers, functions and mappings, as the engine or AWS reports it.

import type { RunState } from '../recovery/capture-facts.ts'

/** The health of a server. */
export type ComponentHealth = {
  name: string
  /** `restarting`: the server has died and is being started again. */
  state: 'starting' | 'healthy' | 'restarting' | 'failing' | 'stopped'
  restarts: number
  lastError?: string
}

/** What a function has done. `failing` is set while its newest invocation is one that failed. */
export type FunctionHealth = {
  name: string
  /** The number of failed invocations. */
  errors: number
  /** Whether it was not called for a while. */
  isIdle: boolean
  /** The error, and since when (ISO 8601). */
  failing?: { readonly error: string; readonly since: string }
}

/**
 * AWS's names, and two of our own. `Reconnecting`: the broker does not answer and will be tried again. `Deleted`: the
 * mapping has left its group.
 */
export type MappingState =
  | 'Creating'
  | 'Enabling'
  | 'Enabled'
  | 'Disabling'
  | 'Disabled'
  | 'Updating'
  | 'Deleting'
  | 'Reconnecting'
  | 'Deleted'

/** The health of an event source mapping. */
export type MappingHealth = {
  /** The name or the ARN of the function. */
  functionName: string
  topic: string
  state: MappingState
  /** Why the mapping does not continue; absent while it does. */
  lastError?: string
}

/** The answer of Connect to `GET /connectors/<name>/status`. A part that failed has a stack trace. */
export type ConnectorStatus = {
  connector: { state: RunState; trace?: string }
  tasks: { id: number; state: RunState; trace?: string }[]
}
