import { getHeapStatistics } from 'node:v8'

/** What is measured of this process, and what is done about it. */
export type OwnMemory = {
  /** Time of the processor since the process began, in ms. */
  cpuMs(): number
  /** Bytes of the heap and of what hangs on it, used or not. */
  heldBytes(): number
  /** Collects all garbage and gives its memory back; takes some tenths of a second. */
  collect(): void
}

const EVERY_MS = 10_000
/** Of one core: the pollers of a stack at rest take less. */
const REST_SHARE = 0.1
/** Less is not worth a collection. */
const RETURNED_BYTES = 64 << 20

/**
 * Has a process that works no more give back what a load took: Node keeps its heap for the next one, and the rest of the stack
 * wants it.
 */
export function returnMemoryAtRest({ cpuMs, heldBytes, collect }: OwnMemory): { stop(): void } {
  // What the start took is given back, too.
  let kept = 0
  let cpuBefore = cpuMs()
  const timer = setInterval(() => {
    const used = cpuMs() - cpuBefore
    cpuBefore += used
    if (used > EVERY_MS * REST_SHARE || heldBytes() - kept < RETURNED_BYTES) return
    collect()
    kept = heldBytes()
  }, EVERY_MS).unref()
  return { stop: () => clearInterval(timer) }
}

/** This process; undefined where Node was not started with --expose-gc. */
export function ownMemory(): OwnMemory | undefined {
  const { gc } = globalThis
  if (gc === undefined) return undefined
  return {
    cpuMs: () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1_000
    },
    heldBytes: () => {
      const { total_heap_size, external_memory } = getHeapStatistics()
      return total_heap_size + external_memory
    },
    collect: () => void gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
  }
}
