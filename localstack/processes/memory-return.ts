import { getHeapStatistics } from 'node:v8'

/** Measurements of this process, and its garbage collection. */
export type OwnMemory = {
  /** Processor time since the process began, in ms. */
  cpuMs(): number
  /** Bytes of the heap and of the external memory that it refers to, used or not. */
  heldBytes(): number
  /** Collects all garbage and returns its memory to the system, which takes some tenths of a second. */
  collect(): void
}

const EVERY_MS = 10_000
/** The share of one core below which a process is at rest. The pollers of a stack at rest use less. */
const REST_SHARE = 0.1
/** A collection that returns less is not worthwhile. */
const RETURNED_BYTES = 64 << 20

/**
 * Makes a process that is at rest return the memory that a load has used. Node would keep its heap for the next load,
 * but the rest of the stack needs the memory.
 */
export function returnMemoryAtRest({ cpuMs, heldBytes, collect }: OwnMemory): { stop(): void } {
  // At the first rest the memory that the start has used is returned, too.
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

/** The memory of this process; undefined when Node was not started with --expose-gc. */
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
