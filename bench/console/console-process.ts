import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startGuard } from '#localstack/processes/guard.ts'
import { supervise } from '#localstack/processes/supervise.ts'
import { repository } from '#localstack/settings.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { stopWhenInterrupted } from '../interruption.ts'

/** The group as which the console's process counts. */
export const CONSOLE = 'console'

/** The console in a process of its own, as `npm start` and `npm run console` have it. */
export type ConsoleProcess = {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly pid: () => number | undefined
  /** Its resident memory. Throws an Error if it was started again since. */
  residentBytes(): Promise<number>
  stop(): Promise<void>
}

export type ConsoleOptions = {
  /** Arguments of `npm run console`, without the port. */
  readonly args?: readonly string[]
  /** Variables besides those of this process. */
  readonly environment?: Readonly<Record<string, string>>
  /** The directory of its log. */
  readonly directory: string
}

/** Starts the console, and waits until it has its page, which may have to be built. */
export async function startConsole({
  args = [],
  environment = {},
  directory,
}: ConsoleOptions): Promise<ConsoleProcess> {
  const [port] = (await freePortPairs(1)) as [number]
  const url = `http://127.0.0.1:${port}`
  const program = join(repository, 'commands/console/console-program.ts')
  const guard = startGuard()
  const service = await supervise({
    name: 'console',
    command: {
      file: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', program, '--port', String(port), ...args],
      env: { ...process.env, ...environment },
    },
    ready: () => hasPage(url),
    stopSignal: 'SIGTERM',
    stopWithinMs: 2_000,
    logFile: join(directory, 'console.log'),
    guard,
    signal: new AbortController().signal,
  })
  return {
    url,
    pid: () => service.health().pid,
    async residentBytes() {
      const { pid, restarts, lastError } = service.health()
      if (pid === undefined || restarts > 0) throw new Error(`the console has ended: ${lastError}`)
      const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))!
      return Number(kilobytes) * 1024
    },
    stop: stopWhenInterrupted(async () => {
      await service.stop()
      guard.stop()
    }),
  }
}

/** While the page is being built the answer is 503. */
const hasPage = (url: string): Promise<boolean> =>
  fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(2_000) }).then(
    ({ ok }) => ok,
    () => false,
  )
