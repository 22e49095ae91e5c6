const running = new Set<() => Promise<void>>()
let isInterrupted = false

/** Has an interruption call `stop` as well. What it returns calls it once, however often and by whom it is called. */
export function stopWhenInterrupted(stop: () => Promise<void>): () => Promise<void> {
  let stopped: Promise<void> | undefined
  const stopOnce = (): Promise<void> => {
    stopped ??= stop().finally(() => running.delete(stopOnce))
    return stopped
  }
  running.add(stopOnce)
  return stopOnce
}

/** Stops everything that runs, and with it removes its data: a large target would otherwise stay on the disk. */
export async function interrupt(): Promise<void> {
  isInterrupted = true
  await Promise.allSettled(Array.from(running, (stop) => stop()))
}

/**
 * Gives the exit code of the work, or 130 once Ctrl-C has interrupted it: its servers are stopped while it waits for them, so
 * that it fails then.
 */
export async function untilInterrupted(work: () => Promise<number>): Promise<number> {
  const interrupted = Promise.withResolvers<number>()
  const onSignal = (): void => {
    // An idle connection reports that its server has stopped, and no one listens any more: that must not end the process
    // before everything else has stopped.
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, () => undefined)
    void interrupt().then(() => interrupted.resolve(130))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, onSignal)
  const done = work().catch((error: unknown) => {
    if (isInterrupted) return interrupted.promise
    throw error
  })
  return Promise.race([done, interrupted.promise])
}
