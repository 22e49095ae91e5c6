import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { rename, stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { type Guard, signalGroup } from './guard.ts'
import { endOf } from './process-progress.ts'
import { becomesTrue } from './readiness.ts'
import { watchProgress } from './stuck-start.ts'

/** How a server is started. */
export type Command = {
  file: string
  args: readonly string[]
  cwd?: string
  env?: NodeJS.ProcessEnv
  uid?: number
  gid?: number
}

/** A server that is to be kept running. */
export type Service = {
  /** Such as `kafka`. */
  name: string
  command: Command
  /** Whether the server answers. It is called until it returns true. */
  ready: () => Promise<boolean>
  /**
   * A starting server is waited for as long as it lives and works, which is a line in its log or processor time.
   * Without either for this long it is given up; two minutes if absent.
   */
  stuckAfterMs?: number
  /** Gets a text every two seconds that says what the server is doing, when its first start takes long. */
  onWaiting?: (what: string) => void
  stopSignal: NodeJS.Signals
  /** SIGKILL follows when the server has not ended after this time. */
  stopWithinMs: number
  logFile: string
  guard: Guard
  /** Aborted when the whole stack stops, also while this server starts. */
  signal: AbortSignal
  /**
   * Gives the command with which the server is started again after it has aborted itself (SIGABRT), as a JVM does that
   * crashes. It is called once.
   */
  afterAbort?: () => Promise<Command>
}

/** `restarting`: the server has died and is being started again. */
export type ServiceState = 'starting' | 'healthy' | 'restarting' | 'stopped'

export type ServiceHealth = { name: string; state: ServiceState; restarts: number; pid?: number; lastError?: string }

/** A server that is kept running until `stop`. */
export type RunningService = {
  health: () => ServiceHealth
  /** Settles when the process and all that it has started are gone. Idempotent. */
  stop: () => Promise<void>
}

const FIRST_BACKOFF_MS = 100
const LONGEST_BACKOFF_MS = 5_000
/** When a server has run this long, its next restart begins with the shortest backoff. */
const SETTLED_MS = 30_000
/** A killed process is gone at once, unless the disk delays it. */
const GROUP_ENDS_WITHIN_MS = 5_000
const LARGEST_LOG = 10 << 20

/**
 * Starts a server, waits until it answers, and restarts it with growing backoff whenever it ends. When the first start
 * fails, it throws an Error with the last lines of the log, and the server is not running.
 */
export async function supervise(definition: Service): Promise<RunningService> {
  const service = { ...definition }
  const health: ServiceHealth = { name: service.name, state: 'starting', restarts: 0 }
  const stopped = new AbortController()
  const signal = AbortSignal.any([stopped.signal, service.signal])
  await keepLogSmall(service.logFile)
  let child = await bringUp(service, health, signal)
  // It is for the first start only.
  delete service.onWaiting
  const kept = keep()

  async function keep(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS
    for (;;) {
      const startedAt = Date.now()
      await ended(child)
      if (signal.aborted) return
      health.restarts++
      health.state = 'restarting'
      health.lastError = describeEnd(child)
      await changeAfterAbort(service, child)
      if (Date.now() - startedAt > SETTLED_MS) backoffMs = FIRST_BACKOFF_MS
      for (let up = false; !up; backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS)) {
        await pause(backoffMs, undefined, { signal }).catch(() => undefined)
        if (signal.aborted) return
        up = await bringUp(service, health, signal).then(
          (started) => {
            child = started
            return true
          },
          (error: Error) => {
            health.lastError = error.message
            return false
          },
        )
      }
    }
  }

  return {
    health: () => ({ ...health }),
    stop: async () => {
      stopped.abort()
      await end(child, service)
      await kept
      health.state = 'stopped'
      delete health.pid
    },
  }
}

async function bringUp(service: Service, health: ServiceHealth, signal: AbortSignal): Promise<ChildProcess> {
  const logStart = await sizeOf(service.logFile)
  const child = launch(service)
  const gone = new AbortController()
  child.once('exit', () => gone.abort())
  child.once('error', () => gone.abort())
  if (child.pid !== undefined) health.pid = child.pid

  const stuck = new AbortController()
  const watch = child.pid === undefined ? undefined : watchProgress(service, { pid: child.pid, logStart }, stuck)
  const ready = await becomesTrue(service.ready, {
    withinMs: Number.POSITIVE_INFINITY,
    signal: AbortSignal.any([gone.signal, stuck.signal, signal]),
  }).finally(() => watch?.stop())
  if (ready && !gone.signal.aborted) {
    health.state = 'healthy'
    return child
  }
  if (await changeAfterAbort(service, child)) return bringUp(service, health, signal)
  const reason = gone.signal.aborted ? describeEnd(child) : ((stuck.signal.reason as string) ?? 'the stack is stopping')
  await end(child, service)
  const log = (await endOf(service.logFile, logStart)).end.trimEnd().split('\n').slice(-15).join('\n')
  throw new Error(
    `${service.name} did not start: ${reason}. Its log is ${service.logFile}${log && `; the last lines:\n${log}`}`,
  )
}

/** Gives a server that has aborted itself the command for that. Returns false if there is nothing to change. */
async function changeAfterAbort(service: Service, child: ChildProcess): Promise<boolean> {
  const { afterAbort } = service
  if (child.signalCode !== 'SIGABRT' || afterAbort === undefined) return false
  delete service.afterAbort
  service.command = await afterAbort()
  return true
}

/** Starts the process in a session of its own, so that Ctrl-C in the terminal reaches the engine alone. */
function launch({ command, logFile, guard }: Service): ChildProcess {
  const { file, args, ...options } = command
  const log = openSync(logFile, 'a', 0o600)
  try {
    const child = privately(() => spawn(file, args, { ...options, detached: true, stdio: ['ignore', log, log] }))
    const { pid } = child
    if (pid !== undefined) {
      guard.watch(pid)
      child.once('exit', () => guard.forget(pid))
    }
    return child
  } finally {
    closeSync(log)
  }
}

/**
 * Only the server's user may access the files that it writes. A process inherits its umask from the one that starts it.
 */
function privately<T>(start: () => T): T {
  const usual = process.umask(0o077)
  try {
    return start()
  } finally {
    process.umask(usual)
  }
}

async function end(child: ChildProcess, { stopSignal, stopWithinMs }: Service): Promise<void> {
  // The pid of a process that ended long ago may belong to another program now.
  if (hasEnded(child)) return
  child.kill(stopSignal)
  const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs)
  await ended(child)
  clearTimeout(timer)
  await endGroup(child)
}

/** Kills the other processes of a server, which could still write to its directory. */
async function endGroup({ pid }: ChildProcess): Promise<void> {
  if (pid === undefined) return
  await becomesTrue(async () => !signalGroup(pid, 'SIGKILL'), { withinMs: GROUP_ENDS_WITHIN_MS, everyMs: 10 })
}

async function ended(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) await once(child, 'exit')
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

function describeEnd(child: ChildProcess): string {
  if (child.pid === undefined) return `${child.spawnfile} cannot be run`
  return child.signalCode === null ? `it ended with exit code ${child.exitCode}` : `it was ended by ${child.signalCode}`
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0
}

async function keepLogSmall(file: string): Promise<void> {
  if ((await sizeOf(file)) > LARGEST_LOG) await rename(file, `${file}.1`)
}
