import { startOrphanGuard } from '#localstack/lambda-host/orphan-guard.ts'

/** Ends the servers when this process is gone, a kill -9 included. */
export type Guard = {
  /** `pid` leads a process group that must not outlive this process. */
  watch: (pid: number) => void
  /** `pid` has ended: the number may come to belong to another program. */
  forget: (pid: number) => void
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
    stop: orphans.stop,
  }
}
