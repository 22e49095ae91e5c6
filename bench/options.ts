import { UsageError } from '#terminal/usage-error.ts'

/** Reads a whole number from 1. Throws a UsageError that names the option. */
export function readCount(option: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new UsageError(`${option} ${text} is not a number from 1`)
}

/** Reads whole numbers from 1, separated by commas. Throws a UsageError that names the option. */
export const readCounts = (option: string, text: string): number[] =>
  text.split(',').map((each) => readCount(option, each.trim()))

/** Options of a measurement in which peers may take turns with Tidemark. */
export type ComparisonOptions = {
  /** The number of turns. */
  readonly runs: number
  readonly peers: boolean
  readonly onProgress: (what: string) => void
}
