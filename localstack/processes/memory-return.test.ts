import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { returnMemoryAtRest } from './memory-return.ts'

const MB = 1 << 20

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A process that uses 200 MB, and 120 MB after a collection. */
function heldProcess() {
  const state = { cpuMs: 0, held: 200 * MB, collections: 0 }
  const returning = returnMemoryAtRest({
    cpuMs: () => state.cpuMs,
    heldBytes: () => state.held,
    collect: () => {
      state.collections++
      state.held = 120 * MB
    },
  })
  const look = (cpuMs: number) => {
    state.cpuMs += cpuMs
    vi.advanceTimersByTime(10_000)
    return state.collections
  }
  return { state, look, returning }
}

test('memory that a load took is returned once there is little to do, and only then', () => {
  const { state, look } = heldProcess()
  state.held = 400 * MB
  expect(look(5_000)).toBe(0)
  expect(look(1_001)).toBe(0)
  expect(look(400)).toBe(1)
  expect(look(400)).toBe(1)
})

test('memory that the start took is returned, and afterwards a process that holds little more than before is left alone', () => {
  const { state, look } = heldProcess()
  expect(look(0)).toBe(1)
  state.held = 183 * MB
  expect(look(0)).toBe(1)
})

test('after each load memory is given back again, until it ends', () => {
  const { state, look, returning } = heldProcess()
  state.held = 400 * MB
  expect(look(0)).toBe(1)
  state.held = 190 * MB
  expect(look(0)).toBe(2)
  returning.stop()
  state.held = 400 * MB
  expect(look(0)).toBe(2)
})
