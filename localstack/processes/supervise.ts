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

/** A server to keep running. */
export type Service = {
  /** e.g. `kafka`. */
  name: string
  command: Command
  /** Whether it answers; asked until it does. */
  ready: () => Promise<boolean>
  /**
   * It is waited for as long as it lives and does something: a line in its log, or time of the processor. Without either for
   * so long it is given up; two minutes if not set.
   */
  stuckAfterMs?: number
  /** Hears every two seconds what a server that takes long to start the first time is doing, in words. */
  onWaiting?: (what: string) => void
  stopSignal: NodeJS.Signals
  /** SIGKILL follows when it has not ended by then. */
  stopWithinMs: number
  logFile: string
  guard: Guard
  /** Aborted when the whole stack is stopping, also while this one starts. */
  signal: AbortSignal
}

/** `restarting`: it died and is being brought back. */
export type ServiceState = 'starting' | 'healthy' | 'restarting' | 'stopped'

export type ServiceHealth = { name: string; state: ServiceState; restarts: number; pid?: number; lastError?: string }

/** A server that is kept running until `stop`. */
export type RunningService = {
  health: () => ServiceHealth
  /** Idempotent; settles when the process is gone, and all that it has started. */
  stop: () => Promise<void>
}

const FIRST_BACKOFF_MS = 100
const LONGEST_BACKOFF_MS = 5_000
/** A server that ran this long starts afresh with the shortest backoff. */
const SETTLED_MS = 30_000
/** What is killed is gone at once, unless the disk holds it up. */
const GROUP_ENDS_WITHIN_MS = 5_000
const LARGEST_LOG = 10 << 20

/**
 * Starts a server, waits until it answers, and brings it back with growing backoff whenever it ends.
 * Throws when it does not come up the first time, with the last lines of its log; then it is not running.
 */
export async function supervise(service: Service): Promise<RunningService> {
  const health: ServiceHealth = { name: service.name, state: 'starting', restarts: 0 }
  const stopped = new AbortController()
  const signal = AbortSignal.any([stopped.signal, service.signal])
  await keepLogSmall(service.logFile)
  let child = await bringUp(service, health, signal)
  // Who waits for the first start does not hear of later ones.
  const { onWaiting: _onWaiting, ...again } = service
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
      if (Date.now() - startedAt > SETTLED_MS) backoffMs = FIRST_BACKOFF_MS
      for (let up = false; !up; backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS)) {
        await pause(backoffMs, undefined, { signal }).catch(() => undefined)
        if (signal.aborted) return
        up = await bringUp(again, health, signal).then(
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
  const reason = gone.signal.aborted ? describeEnd(child) : ((stuck.signal.reason as string) ?? 'the stack is stopping')
  await end(child, service)
  const log = (await endOf(service.logFile, logStart)).end.trimEnd().split('\n').slice(-15).join('\n')
  throw new Error(
    `${service.name} did not start: ${reason}. Its log is ${service.logFile}${log && `; the last lines:\n${log}`}`,
  )
}

/** In a session of its own, so that Ctrl-C in the terminal reaches the engine alone. */
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

/** What a server writes is its user's alone: a process takes its mask of rights from the one that starts it. */
function privately<T>(start: () => T): T {
  const usual = process.umask(0o077)
  try {
    return start()
  } finally {
    process.umask(usual)
  }
}

async function end(child: ChildProcess, { stopSignal, stopWithinMs }: Service): Promise<void> {
  // The number of one that ended long ago may be another program's by now.
  if (hasEnded(child)) return
  child.kill(stopSignal)
  const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs)
  await ended(child)
  clearTimeout(timer)
  await endGroup(child)
}

/** Processes of a server that was killed may still write to its directory. */
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
