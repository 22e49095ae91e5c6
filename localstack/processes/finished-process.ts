import { type SpawnOptions, spawn } from 'node:child_process'
import type { Guard } from './guard.ts'

/** The result of a process that ran to its end. `output` is stdout and stderr in the order in which they came. */
export type FinishedProcess = { code: number | null; output: string }

export type RunOptions = Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> & {
  /** Gets each line as it comes. */
  onLine?: (line: string) => void
  /** Aborting it ends the process and all that it has started. */
  signal?: AbortSignal
  /** Ends them when this process is gone. */
  guard?: Pick<Guard, 'watch' | 'forget'>
}

/** The program could not be started at all. */
export class MissingProgramError extends Error {
  override name = 'MissingProgramError'
}

/**
 * Runs a program to its end. Its exit code is a value; a program that does not exist is a MissingProgramError. After an
 * abort, the promise rejects with the signal's reason when the process has ended.
 */
export async function runToEnd(
  file: string,
  args: readonly string[],
  { onLine, signal, guard, ...spawning }: RunOptions = {},
): Promise<FinishedProcess> {
  signal?.throwIfAborted()
  // The process has a session of its own, so that a Ctrl-C in the terminal reaches it only through the signal.
  const child = spawn(file, args, { ...spawning, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const kill = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  signal?.addEventListener('abort', kill)
  if (child.pid !== undefined) guard?.watch(child.pid)
  const output = collect([child.stdout, child.stderr], onLine)
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', (cause) => reject(new MissingProgramError(`${file} cannot be run`, { cause })))
  child.on('exit', () => {
    signal?.removeEventListener('abort', kill)
    if (child.pid !== undefined) guard?.forget(child.pid)
  })
  child.on('close', resolve)
  const code = await promise
  signal?.throwIfAborted()
  return { code, output: output() }
}

function collect(streams: readonly NodeJS.ReadableStream[], onLine?: (line: string) => void): () => string {
  let output = ''
  let unfinished = ''
  for (const stream of streams) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output += text
      if (onLine === undefined) return
      const lines = (unfinished + text).split('\n')
      unfinished = lines.pop()!
      for (const line of lines) onLine(line)
    })
  }
  return () => output
}
