import { join } from 'node:path'
import { type Guard, startGuard } from '#localstack/processes/guard.ts'
import { refuseBusyPorts } from '#localstack/processes/ports.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { type RunningService, type ServiceHealth, supervise } from '#localstack/processes/supervise.ts'
import type { ConsoleSettings } from '#localstack/settings.ts'

/** Where the console is, and why it does not answer; null while it does. */
export type ConsoleState = { readonly url: string; readonly problem: string | null }

/** The console in a process of its own. */
export type ConsoleProcess = {
  /** Undefined until it is started. */
  state(): ConsoleState | undefined
  stop(): Promise<void>
}

export type ConsoleProcessOptions = {
  settings: ConsoleSettings
  /** The directory with the logs of the stack. */
  logs: string
  /** Resolves when the stack is up and has shown its first changes, so that the console does not delay them. */
  ready: Promise<unknown>
  /** Aborted when the stack stops. */
  signal: AbortSignal
}

/**
 * Starts the console once `ready` resolves, and again whenever its process dies. It is a process of its own, so that
 * nothing that pages ask for delays the pollers. A stack whose console cannot start goes on without it.
 */
export function startConsoleProcess({ settings, logs, ready, signal }: ConsoleProcessOptions): ConsoleProcess {
  const url = `http://127.0.0.1:${settings.port}`
  let launched: Launched | undefined
  let problem: string | undefined
  const starting = ready
    .then(() => (signal.aborted ? undefined : launch(settings, { url, logFile: join(logs, 'console.log'), signal })))
    .then(
      (started) => {
        launched = started
      },
      (error: Error) => {
        problem = error.message
      },
    )
  return {
    state() {
      if (problem !== undefined) return { url, problem }
      return launched && { url, problem: problemOf(launched.service.health()) }
    },
    async stop() {
      await starting
      await launched?.service.stop()
      launched?.guard.stop()
    },
  }
}

type Launched = { readonly service: RunningService; readonly guard: Guard }

const problemOf = ({ state, lastError }: ServiceHealth): string | null =>
  state === 'healthy' ? null : `${state}${lastError === undefined ? '' : `: ${lastError}`}`

/** The process gets no time to end its connections, because the pages of a stopped stack have nothing to wait for. */
const STOP_WITHIN_MS = 500

async function launch(
  { port, allowsActions }: ConsoleSettings,
  { url, logFile, signal }: { url: string; logFile: string; signal: AbortSignal },
): Promise<Launched> {
  await refuseBusyPorts([{ number: port, usedBy: 'the console', variable: 'TIDEMARK_CONSOLE_PORT' }])
  const guard = startGuard()
  const program = join(import.meta.dirname, '../console/console-program.ts')
  const args = ['--disable-warning=ExperimentalWarning', program, '--port', String(port)]
  const service = await supervise({
    name: 'console',
    command: { file: process.execPath, args: allowsActions ? [...args, '--allow-actions'] : args },
    ready: () => answers(url),
    stopSignal: 'SIGTERM',
    stopWithinMs: STOP_WITHIN_MS,
    logFile,
    guard,
    signal,
  }).catch((error) => {
    guard.stop()
    throw error
  })
  return { service, guard }
}

/** Whether the server answers, also while the page is still being built. */
const answers = (url: string): Promise<boolean> =>
  fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(ANSWER_MS) }).then(
    () => true,
    () => false,
  )
