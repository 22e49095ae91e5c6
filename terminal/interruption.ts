/** Runs work with a signal that Ctrl-C aborts, so that the work ends between two steps and leaves nothing half done. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort(new Error('interrupted'))
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.once(signal, interrupt)
  try {
    return await work(interrupted.signal)
  } finally {
    for (const signal of signals) process.off(signal, interrupt)
  }
}
