import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/** Ends process groups whose owner is gone, also when that was killed with SIGKILL. */
export type OrphanGuard = {
  /** Sets the groups to end, by the pids of their leaders. It replaces the groups that were set before. */
  hold(groups: Iterable<number>): void
  /** Ends the guard and leaves the groups running. */
  stop(): void
}

/**
 * Starts one shell that reads the groups from a pipe. The kernel closes the pipe when this process dies, however it
 * dies. A function cannot notice that by itself while it is busy in its own code.
 */
export function startOrphanGuard(): OrphanGuard {
  const script = 'while read -r line; do groups=$line; done; for group in $groups; do kill -9 "-$group"; done'
  // The shell has a group of its own, so that Ctrl-C at the terminal does not end it before the groups that it guards.
  const shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  const pipe = shell.stdin as Socket
  shell.unref()
  pipe.unref()
  // When the guard itself was killed, functions need not be ended: they also exit when their Runtime API is gone.
  pipe.on('error', () => undefined)
  shell.on('error', () => undefined)

  return {
    hold(groups) {
      pipe.write(`${[...groups].join(' ')}\n`)
    },
    stop() {
      pipe.end('\n')
    },
  }
}
