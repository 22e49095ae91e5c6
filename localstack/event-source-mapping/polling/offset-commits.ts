/** The offset at which a consumer group continues. */
export type GroupOffset = { topic: string; partition: number; offset: number }

/**
 * Commits what has been processed, in the background: at once, and after that at most ten times a second, with the
 * newest offset of each topic partition. It is not more often, because each commit is a record that the broker writes.
 */
export type OffsetCommits = {
  /** Notes that everything below `offset` has been processed. */
  processed(offset: GroupOffset): void
  /** Settles when everything that was processed so far is committed. Rejects when that failed. */
  flush(): Promise<void>
}

const COMMIT_EVERY_MS = 100

/**
 * `onCommitted` gets the offsets that the broker has confirmed. `onError` gets the error of the first request that
 * failed; after it no request is sent.
 */
export function makeOffsetCommits({
  commit,
  onCommitted,
  onError,
}: {
  commit: (offsets: GroupOffset[]) => Promise<void>
  onCommitted: (offsets: GroupOffset[]) => void
  onError: (error: Error) => void
}): OffsetCommits {
  let pending = new Map<string, GroupOffset>()
  let running: Promise<void> | undefined
  let isFlushing = false
  let endPause = (): void => undefined

  async function run(): Promise<void> {
    while (pending.size > 0) {
      const offsets = [...pending.values()]
      pending = new Map()
      await commit(offsets)
      onCommitted(offsets)
      await pause()
    }
    running = undefined
  }

  async function pause(): Promise<void> {
    if (isFlushing) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, COMMIT_EVERY_MS)
    endPause = resolve
    await promise
    clearTimeout(timer)
  }

  return {
    processed(offset) {
      pending.set(`${offset.topic}-${offset.partition}`, offset)
      if (running !== undefined) return
      running = run()
      running.catch(onError)
    },
    async flush() {
      isFlushing = true
      endPause()
      try {
        await running
      } finally {
        isFlushing = false
      }
    },
  }
}
