import { startOrphanGuard } from './orphan-guard.ts'

/** Ends the servers when this process is gone, a kill -9 included. */
export type Guard = {
  /** `pid` leads a process group that must not outlive this process. */
  watch: (pid: number) => void
  /** `pid` has ended: the number may come to belong to another program. */
  forget: (pid: number) => void
  /** Kills all that is watched, with all that it has started. */
  kill: () => void
  stop: () => void
}

/** One guard for all servers of an engine. */
export function startGuard(): Guard {
  const orphans = startOrphanGuard()
  const watched = new Set<number>()
  return {
    watch: (pid) => orphans.hold(watched.add(pid)),
    forget: (pid) => {
      if (watched.delete(pid)) orphans.hold(watched)
    },
    kill: () => {
      for (const pid of watched) signalGroup(pid, 'SIGKILL')
    },
    stop: orphans.stop,
  }
}

/** False when there is no process of the group. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
