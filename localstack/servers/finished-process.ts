import { type SpawnOptions, spawn } from 'node:child_process'

/** What a process that ran to its end left. `output` is stdout and stderr as they came. */
export type FinishedProcess = { code: number | null; output: string }

/** The program could not be started at all. */
export class MissingProgramError extends Error {
  override name = 'MissingProgramError'
}

/**
 * Runs a program to its end. Its exit code is a value; a program that is not there is a MissingProgramError.
 * `onLine` sees each line as it comes.
 */
export async function runToEnd(
  file: string,
  args: readonly string[],
  options: Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> & { onLine?: (line: string) => void } = {},
): Promise<FinishedProcess> {
  const { onLine, ...spawning } = options
  const child = spawn(file, args, { ...spawning, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let unfinished = ''
  const take = (text: string): void => {
    output += text
    const lines = (unfinished + text).split('\n')
    unfinished = lines.pop()!
    if (onLine) lines.forEach(onLine)
  }
  child.stdout.setEncoding('utf8').on('data', take)
  child.stderr.setEncoding('utf8').on('data', take)
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', (cause) => reject(new MissingProgramError(`${file} cannot be run`, { cause })))
  child.on('close', resolve)
  return { code: await promise, output }
}
