import { memoryUse } from '#localstack/processes/process-memory.ts'

/**
 * How far above its memory size a function is ended. AWS ends it at the size. Here the memory is only checked from time
 * to time, and the runtime's share of it differs a little from that on AWS.
 */
const tolerance = 1.25

const everyMs = 100

/** Watches the memory of one function process while it works. */
export type MemoryLimit = {
  /** Checks the process regularly, until `rest` is called. */
  watch(): void
  rest(): void
  /** The most that was measured since the process started, in bytes. */
  peakBytes(): Promise<number>
}

/** `onExceeded` is called when the process uses a quarter more than `memoryMb`. */
export function makeMemoryLimit(pid: number, memoryMb: number, onExceeded: () => void): MemoryLimit {
  const limitBytes = memoryMb * tolerance * 2 ** 20
  let timer: NodeJS.Timeout | undefined
  let peak = 0

  async function look(): Promise<void> {
    const use = await memoryUse(pid)
    if (use === undefined) return
    peak = Math.max(peak, use.peak)
    if (use.held > limitBytes) onExceeded()
  }

  return {
    watch() {
      timer ??= setInterval(look, everyMs).unref()
    },
    rest() {
      clearInterval(timer)
      timer = undefined
    },
    async peakBytes() {
      await look()
      return peak
    },
  }
}
