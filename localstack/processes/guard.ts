import { startOrphanGuard } from './orphan-guard.ts'

/** Ends the servers when this process is gone, also after a kill -9. */
export type Guard = {
  /** Adds the process group that `pid` leads. It must not outlive this process. */
  watch: (pid: number) => void
  /** Removes a group whose leader has ended, because its pid may be given to another program. */
  forget: (pid: number) => void
  /** Kills all process groups that are watched. */
  kill: () => void
  stop: () => void
}

/** Starts one guard for all servers of an engine. */
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

/** Returns false when the group has no process. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
