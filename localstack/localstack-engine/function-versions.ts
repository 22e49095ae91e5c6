import type { FunctionDefinition } from '#localstack/lambda-host/bundle/function-definition.ts'
import { FunctionPool } from '#localstack/lambda-host/environment/function-pool.ts'
import type { FunctionActivity, FunctionHostOptions } from '#localstack/lambda-host/function-host.ts'
import type { InvocationEvent, Outcome } from '#localstack/lambda-host/invocation/invocation.ts'
import { startOrphanGuard } from '#localstack/processes/orphan-guard.ts'

/** LocalStack itself counts invocations, and refuses those above a function's concurrency. */
const UNLIMITED = Number.POSITIVE_INFINITY

/**
 * Processes for the functions that LocalStack has. There is one pool for each state of a function's code and
 * configuration.
 */
export type FunctionVersions = {
  /** Adds a version, or replaces one that is known. No process is started before its first event. */
  add(version: string, definition: FunctionDefinition): Promise<void>
  /** Ends the version's processes and removes it. */
  remove(version: string): Promise<void>
  /** Ends every process and removes every version. */
  clear(): Promise<void>
  /** Runs a version on one event. Rejects when there is no such version, or no process can be started. */
  invoke(version: string, event: InvocationEvent): Promise<Outcome>
  /** One entry for each function: its latest version. */
  list(): FunctionActivity[]
  /** Ends everything for good. */
  stop(): Promise<void>
}

export type FunctionVersionsOptions = Pick<
  FunctionHostOptions,
  'endpointUrl' | 'serviceUrls' | 'key' | 'onLog' | 'idleMs'
> & {
  /**
   * Returns a function's variables as they have to be on this machine. It is called at the first event, when all
   * servers that they name are up.
   */
  localVariables: (variables: Record<string, string>) => Record<string, string>
}

type Version = { definition: FunctionDefinition; since: Date; pool?: FunctionPool }

/** Makes a collection without versions. The processes end with this one, also when it is killed. */
export function makeFunctionVersions(options: FunctionVersionsOptions): FunctionVersions {
  const { endpointUrl, serviceUrls = {}, key, onLog, idleMs = 300_000 } = options
  const versions = new Map<string, Version>()
  const guard = startOrphanGuard()
  const onProcesses = () => guard.hold([...versions.values()].flatMap(({ pool }) => pool?.activity.processes ?? []))

  function openPool(definition: FunctionDefinition): FunctionPool {
    const environment = options.localVariables(definition.environment)
    return new FunctionPool(
      { ...definition, environment },
      {
        ...{ endpointUrl, serviceUrls, ...(key && { key }), idleMs, onProcesses },
        onLog: (line) => onLog(definition.name, line),
        onFree: () => undefined,
        unreservedConcurrency: UNLIMITED,
        initMs: 10_000,
      },
    )
  }

  async function remove(version: string): Promise<void> {
    const removed = versions.get(version)
    versions.delete(version)
    await removed?.pool?.stop()
  }

  async function clear(): Promise<void> {
    await Promise.all([...versions.keys()].map(remove))
  }

  return {
    async add(version, definition) {
      await remove(version)
      versions.set(version, { definition, since: new Date() })
    },
    remove,
    clear,
    async invoke(version, event) {
      const invoked = versions.get(version)
      if (invoked === undefined) throw new Error(`there is no version ${version} of a function`)
      invoked.pool ??= openPool(invoked.definition)
      return invoked.pool.tryInvoke(event, true)!
    },
    list: () => [...new Map([...versions.values()].map((each) => [each.definition.name, describe(each)])).values()],
    async stop() {
      await clear()
      guard.stop()
    },
  }
}

function describe({ definition, since, pool }: Version): FunctionActivity {
  return { definition, since, ...(pool?.activity ?? { invocations: 0, errors: 0, processes: [] }) }
}
