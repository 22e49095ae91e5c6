/** The offset a consumer group continues at. */
export type GroupOffset = { topic: string; partition: number; offset: number }

/** Commits what was processed, in the background, one request at a time: the newest offsets of each request win. */
export type OffsetCommits = {
  /** Everything below `offset` is processed. */
  processed(offset: GroupOffset): void
  /** Settles when everything processed so far is committed; rejects when that failed. */
  flush(): Promise<void>
}

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

  async function run(): Promise<void> {
    while (pending.size > 0) {
      const offsets = [...pending.values()]
      pending = new Map()
      await commit(offsets)
      onCommitted(offsets)
    }
    running = undefined
  }

  return {
    processed(offset) {
      pending.set(`${offset.topic}-${offset.partition}`, offset)
      if (running !== undefined) return
      running = run()
      running.catch(onError)
    },
    flush: async () => running,
  }
}
