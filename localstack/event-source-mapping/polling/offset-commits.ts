/** The offset a consumer group continues at. */
export type GroupOffset = { topic: string; partition: number; offset: number }

/**
 * Commits what was processed, in the background: at once, and after that ten times a second at most, with the newest offset of
 * each topic partition. Each commit is a record that the broker writes.
 */
export type OffsetCommits = {
  /** Everything below `offset` is processed. */
  processed(offset: GroupOffset): void
  /** Settles when everything processed so far is committed; rejects when that failed. */
  flush(): Promise<void>
}

const COMMIT_EVERY_MS = 100

/** `onCommitted` hears what the broker has confirmed, `onError` of the first request that failed; then it stops. */
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
