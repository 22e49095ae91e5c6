const running = new Set<() => Promise<void>>()
let isInterrupted = false

/**
 * Makes an interruption call `stop`, too. The returned function calls it only once, however often it is called itself.
 */
export function stopWhenInterrupted(stop: () => Promise<void>): () => Promise<void> {
  let stopped: Promise<void> | undefined
  const stopOnce = (): Promise<void> => {
    stopped ??= stop().finally(() => running.delete(stopOnce))
    return stopped
  }
  running.add(stopOnce)
  return stopOnce
}

/** Stops everything that runs and removes its data. A large target would otherwise stay on the disk. */
export async function interrupt(): Promise<void> {
  isInterrupted = true
  await Promise.allSettled(Array.from(running, (stop) => stop()))
}

/**
 * Returns the exit code of the work, or 130 after Ctrl-C. In that case its servers are stopped while the work waits for
 * them, so that it fails.
 */
export async function untilInterrupted(work: () => Promise<number>): Promise<number> {
  const interrupted = Promise.withResolvers<number>()
  const onSignal = (): void => {
    // An idle connection reports as an error that its server has stopped. Without a listener that would end the process
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
