import { join } from 'node:path'
import { makeAccountService } from './account-services.ts'
import { deploy, type Outputs } from './assembly/deploy.ts'
import { openDeploymentRecord } from './assembly/deployment-record.ts'
import { addExistingDatabases, refuseUnreachable, rememberDatabases } from './assembly/existing-databases.ts'
import { rememberCluster } from './assembly/kept-cluster.ts'
import {
  brokerStrings,
  CONNECT_SECRET,
  connectLogin,
  type LocalAccount,
  objectStoreUrl,
  serviceUrls,
} from './assembly/local-account.ts'
import { makeRecordDestinations } from './assembly/record-destinations.ts'
import { openSecretStore } from './assembly/secret-store.ts'
import { removeForgotten } from './assembly/stand-ins/custom-resources.ts'
import { standInFor } from './assembly/stand-ins.ts'
import { readStack } from './assembly/template/template.ts'
import { checkTemplate } from './assembly/template/template-check.ts'
import { writeAwsConfiguration } from './aws-configuration.ts'
import { archiveServerClasses } from './class-archives.ts'
import { startEndpoint } from './endpoint/endpoint.ts'
import type { Service } from './endpoint/exchange.ts'
import { type EngineLock, lockDirectory } from './engine-lock.ts'
import { makeFunctionLines } from './function-lines.ts'
import { type FunctionHost, type FunctionHostOptions, makeFunctionHost } from './lambda-host/function-host.ts'
import { openLineLogs } from './line-logs.ts'
import { makePrivateDirectory } from './private-file.ts'
import { startGuard } from './processes/guard.ts'
import { type Port, refuseBusyPorts } from './processes/ports.ts'
import { makeSteps, type Progress, type Step } from './progress.ts'
import { prepareJars } from './servers/java/jars.ts'
import { findJava } from './servers/java/java.ts'
import { jarsDirectory, type Settings } from './settings.ts'
import { openStackKey } from './stack-key.ts'
import { portsOf } from './stack-ports.ts'
import { assemblyDirectory, synthesize } from './synthesis.ts'

/**
 * Functions that are needed only while the stack starts give their memory back after this time. All others are called
 * more often.
 */
const FUNCTION_IDLE_MS = 20_000

export type EngineOptions = {
  settings: Settings
  onProgress: (progress: Progress) => void
  /**
   * Gets each line that goes into a log of the stack, with the name of the log. A function's log has the function's
   * name.
   */
  onLog?: (name: string, line: string) => void
  /** Aborting it stops a stack that is still starting; `startEngine` then rejects with the reason. */
  signal?: AbortSignal
}

/** Brings the template's resources up, and runs its functions. */
export type Deployer = {
  ports: Port[]
  /** The URL of the stack for the user's own AWS clients. */
  awsUrl: (settings: Settings) => string
  functions: (options: FunctionHostOptions) => FunctionHost
  /** Whether this process describes and changes the resources. LocalStack has its own API for that. */
  hasAccount: boolean
  /** Further services that the endpoint serves. */
  services: readonly Service[]
  /**
   * Rejects with the first failure, after all work under way has ended. `abort` is called at the failure, so that this
   * happens soon.
   */
  deploy: (account: LocalAccount, abort: (reason: unknown) => void) => Promise<Outputs>
}

/** Executes the assembly in this process. */
export const embeddedDeployer: Deployer = {
  ports: [],
  awsUrl: ({ endpointPort }) => `http://127.0.0.1:${endpointPort}`,
  functions: makeFunctionHost,
  hasAccount: true,
  services: [],
  deploy: (account, abort) => deploy(account, standInFor, abort),
}

/** A stack whose resources are up. */
export type OpenStack = {
  account: LocalAccount
  outputs: Outputs
  lock: EngineLock
  /** The pages that the endpoint serves under `/_tidemark/<name>`. */
  pages: Record<string, () => Promise<unknown>>
  /** Stops everything within 5 s. Idempotent. */
  stop: () => Promise<void>
}

/**
 * Synthesizes the app, checks it and brings its stack up. When something fails, it stops what has started and throws an
 * Error that says what is wrong.
 */
export async function openStack(
  options: EngineOptions,
  purpose: LocalAccount['purpose'],
  deployer = embeddedDeployer,
): Promise<OpenStack> {
  const stopping = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal
  const lock = await lockDirectory(options.settings.directory)
  let account: LocalAccount | undefined
  const killing = killLater(signal, () => account?.guard.kill())
  const step = makeSteps(options.onProgress)
  const java = findJvm(step, signal)
  const pages = {}
  let archiving: Promise<void> | undefined
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopping.abort(new Error('the stack was stopped'))
    stopped ??= (async () => {
      try {
        await Promise.allSettled([archiving])
        if (account) await closeAccount(account)
      } finally {
        await Promise.allSettled([java])
        killing.clear()
        await lock.release()
      }
    })()
    return stopped
  }
  try {
    account = await openAccount(options, { purpose, signal, step, java, pages, deployer })
    const outputs = await deployer.deploy(account, (reason) => stopping.abort(reason))
    if (purpose === 'run') {
      await removeForgotten(account)
      archiving = archiveServerClasses(account)
      // Without the archives the next start only takes longer.
      archiving.catch(() => undefined)
    }
    return { account, outputs, lock, pages, stop }
  } catch (error) {
    await stop()
    throw explain(error, options.settings)
  }
}

/**
 * When the stack has not stopped after this time, everything is killed. It is longer than any server needs to stop, so
 * that Ctrl-C does not wait for a server that hangs or for a busy machine.
 */
const KILLED_AFTER_MS = 4_000

/** Calls `kill` some time after `signal` is aborted, unless `clear` is called before. */
function killLater(signal: AbortSignal, kill: () => void): { clear: () => void } {
  let timer: NodeJS.Timeout | undefined
  const begin = (): void => {
    timer = setTimeout(kill, KILLED_AFTER_MS)
  }
  signal.addEventListener('abort', begin, { once: true })
  return {
    clear: () => {
      signal.removeEventListener('abort', begin)
      clearTimeout(timer)
    },
  }
}

/** Each server reports a full disk in another way, so they all become one Error that says what to do. */
function explain(error: unknown, { directory }: Settings): unknown {
  for (let each = error; each instanceof Error; each = each.cause) {
    const line = /^.*(ENOSPC|No space left on device).*$/im.exec(each.message)
    if (line) return new Error(`The disk with ${directory} is full: free 2 GB and start again. (${line[0].trim()})`)
  }
  return error
}

type Beginnings = Pick<LocalAccount, 'purpose' | 'signal' | 'step' | 'java'> &
  Pick<OpenStack, 'pages'> & { deployer: Deployer }

async function openAccount(
  { settings, onLog }: EngineOptions,
  { purpose, signal, step, java, pages, deployer }: Beginnings,
): Promise<LocalAccount> {
  await refuseBusyPorts([...portsOf(settings), ...deployer.ports])
  await refuseUnreachable(settings)
  if (purpose === 'run') {
    await rememberCluster(settings)
    await rememberDatabases(settings)
  }
  const directory = purpose === 'run' ? await synthesizeAs(step, settings, signal) : assemblyDirectory(settings)
  const stack = readStack(directory)
  checkTemplate(stack.template, standInFor)
  const secrets = await openSecretStore(join(settings.directory, 'secrets.json'))
  addExistingDatabases(settings, secrets)
  const key = await openStackKey(secrets)
  secrets.put(CONNECT_SECRET, JSON.stringify(connectLogin(key)))
  await writeAwsConfiguration(settings, deployer.awsUrl(settings), key)
  const record = await openDeploymentRecord(join(settings.directory, 'deployment.json'))

  const logs = join(settings.directory, 'logs')
  await makePrivateDirectory(logs)
  const write = openLineLogs(logs)
  const lines = makeFunctionLines()
  const log = (name: string, line: string) => {
    write(name, line)
    lines.add(name, line)
    onLog?.(name, line)
  }
  const functions = deployer.functions({
    endpointUrl: `http://127.0.0.1:${settings.endpointPort}`,
    serviceUrls: serviceUrls(settings),
    key,
    onLog: log,
    idleMs: settings.functionsWarmMs ?? FUNCTION_IDLE_MS,
    ...(settings.functionsWarmMs !== undefined && { restMs: settings.functionsWarmMs }),
    destinations: makeRecordDestinations({ s3: objectStoreUrl(settings), key }),
  })
  const ofAccount = makeAccountService()
  const endpoint = await startEndpoint({
    port: settings.endpointPort,
    functions,
    secrets: secrets.get,
    key,
    bootstrapBrokers: () => brokerStrings(settings),
    pages,
    services: [ofAccount.service, ...deployer.services],
  })
  const account: LocalAccount = {
    ...{ stack, settings, purpose, signal, java, functions, endpoint, secrets, key, record, step, log },
    guard: startGuard(),
    servers: [],
    workers: [],
    shared: new Map(),
    mappings: new Map(),
    schedules: [],
    removals: [],
    parameterGroups: new Map(),
    databases: new Map(),
    brokerConfigurations: new Map(),
    administrators: new Map(),
    containers: new Map(),
    namespaces: new Map(),
    clusters: new Map(),
    addresses: new Map(),
  }
  if (deployer.hasAccount) ofAccount.open(account, lines)
  return account
}

/**
 * Looks for Java and the jars before they are needed, so that the downloads of a first start run during the synthesis.
 */
function findJvm(step: Step, signal: AbortSignal): LocalAccount['java'] {
  const java = step('jars', async (report) => {
    const program = await findJava(process.env, signal)
    return {
      program,
      jars: await prepareJars({ directory: jarsDirectory, environment: process.env, onProgress: report, signal }),
    }
  })
  // The code that needs Java gets the failure. Without this handler, a failure before that would be an unhandled
  // rejection.
  java.catch(() => undefined)
  return java
}

function synthesizeAs(step: Step, settings: Settings, signal: AbortSignal): Promise<string> {
  return step('assembly', async (report) => {
    const { directory, unchanged } = await synthesize(settings, signal)
    if (unchanged) report('unchanged')
    return directory
  })
}

/**
 * Ends each server after those that use it. A worker or poller whose broker is gone cannot leave its group, and the
 * next start would have to wait for it.
 */
async function closeAccount(account: LocalAccount): Promise<void> {
  for (const schedule of account.schedules) schedule.stop()
  const failures = [
    ...(await failuresOf([
      ...[...account.mappings.values()].map(({ mapping }) => mapping.stop()),
      ...account.workers.map((worker) => worker.stop()),
    ])),
    ...(await failuresOf([account.functions.stop(), ...account.servers.map((server) => server.stop())])),
    ...(await failuresOf([account.endpoint.stop()])),
  ]
  account.guard.stop()
  if (failures.length > 0) throw new AggregateError(failures, `the stack did not stop in order: ${failures[0]}`)
}

/** Waits for all and returns their errors, so that a failure does not keep the others from ending. */
async function failuresOf(endings: readonly Promise<void>[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(endings)
  return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
}
