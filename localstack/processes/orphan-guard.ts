import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/** Ends process groups whose owner is gone, also when it was killed with SIGKILL. */
export type OrphanGuard = {
  /** The groups to end, by their leader's pid; replaces what was said before. */
  hold(groups: Iterable<number>): void
  /** Ends the guard; the groups are left alone. */
  stop(): void
}

/**
 * One shell that reads the groups from a pipe. The kernel closes the pipe when this process dies, however it dies: a
 * function that is busy in its own code would never look for itself.
 */
export function startOrphanGuard(): OrphanGuard {
  const script = 'while read -r line; do groups=$line; done; for group in $groups; do kill -9 "-$group"; done'
  // Its own group: Ctrl-C at the terminal must not end the guard before those it guards.
  const shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  const pipe = shell.stdin as Socket
  shell.unref()
  pipe.unref()
  // A guard somebody killed is no reason to end the functions: they also exit when their Runtime API is gone.
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
