import { memoryUse } from '#localstack/processes/process-memory.ts'

/**
 * How far above its memory size a function is ended. AWS ends it at the size; here the process is looked at from time
 * to time, and its share of the runtime differs a little from AWS's.
 */
const tolerance = 1.25

const everyMs = 100

/** Watches the memory of one function process while that works. */
export type MemoryLimit = {
  /** Looks at the process from now on, until `rest`. */
  watch(): void
  rest(): void
  /** The most that was seen since the process started, in bytes. */
  peakBytes(): Promise<number>
}

/** `onExceeded` is called when the process holds more than a quarter above `memoryMb`. */
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
