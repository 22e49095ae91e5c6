import { UsageError } from '#terminal/usage-error.ts'

/** A whole number from 1. Throws a UsageError that names the option. */
export function readCount(option: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new UsageError(`${option} ${text} is not a number from 1`)
}

/** Whole numbers from 1, with commas between them. Throws a UsageError that names the option. */
export const readCounts = (option: string, text: string): number[] =>
  text.split(',').map((each) => readCount(option, each.trim()))

/** Of a measurement in which peers may take turns with us. */
export type ComparisonOptions = {
  /** Turns. */
  readonly runs: number
  readonly peers: boolean
  readonly onProgress: (what: string) => void
}
