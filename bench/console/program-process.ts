import { fork } from 'node:child_process'
import { once } from 'node:events'
import { stopWhenInterrupted } from '../interruption.ts'

/** What a program of its own can be asked for: functions whose arguments and results are JSON. */
export type Calls = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>

/** A running program. */
export type ProgramProcess<C extends Calls> = {
  readonly pid: () => number | undefined
  /** Asks it. Rejects with its error, or when it has ended. */
  call<M extends keyof C & string>(method: M, ...args: Parameters<C[M]>): ReturnType<C[M]>
  /** Resolves when it has ended. */
  stop(): Promise<void>
}

type Request = { readonly id: number; readonly method: string; readonly args: unknown[] }
type Answer = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string })

/**
 * Starts a program in a process of its own, so that its processor time is not mixed with that of what is measured. The
 * engine of a measured stack is in this process.
 */
export function startProgram<C extends Calls>(file: string, args: readonly string[]): ProgramProcess<C> {
  const child = fork(file, args, {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit')
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  child.on('message', (answer: Answer) => {
    const waiter = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('error' in answer) waiter?.reject(new Error(answer.error))
    else waiter?.resolve(answer.value)
  })
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended with exit code ${code}`))
  })
  let last = 0
  return {
    pid: () => child.pid,
    call(method, ...given) {
      const id = ++last
      const waiter = Promise.withResolvers<unknown>()
      waiting.set(id, waiter)
      child.send({ id, method, args: given } satisfies Request, (error) => error && waiter.reject(error))
      return waiter.promise as ReturnType<C[typeof method]>
    },
    stop: stopWhenInterrupted(async () => {
      if (child.connected) child.disconnect()
      if (child.exitCode === null && child.signalCode === null) await ended
    }),
  }
}

/** Answers the process that has started this program. `end` runs when that process is gone or asks for nothing more. */
export function answerCalls(calls: Calls, end: () => Promise<void>): void {
  process.on('message', ({ id, method, args }: Request) => {
    const send = (answer: Answer) => process.connected && process.send?.(answer)
    const asked = async () => calls[method]!(...(args as never[]))
    asked().then(
      (value) => send({ id, value: value ?? null }),
      (error: Error) => send({ id, error: error.message }),
    )
  })
  process.once('disconnect', () => {
    end().finally(() => process.exit())
  })
}
