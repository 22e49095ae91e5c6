import type { Machine } from './machine/machine.ts'

/** The result of a command, in the form of its file in `bench/results`. */
export type BenchResult<Measures = unknown> = {
  readonly command: string
  /** The arguments, without those that say where the result goes. */
  readonly arguments: readonly string[]
  /** When the measurement began, in ISO 8601. */
  readonly measuredAt: string
  readonly machine: Machine
  /** Choices that influence the figures, by name. */
  readonly configuration: Readonly<Record<string, string>>
  readonly measures: Measures
}

/** A table of a result, for a terminal and for the report. */
export type ResultTable = {
  readonly title: string
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Sentences below the table. */
  readonly notes?: readonly string[]
}

/** One of the commands of `npm run bench`. */
export type BenchCommand = {
  readonly name: string
  readonly help: string
  /** Measures. `file` is the name of the result in `bench/results`. Throws a UsageError for a wrong argument. */
  run(
    argv: string[],
    onProgress: (what: string) => void,
  ): Promise<{ file: string; configuration: Readonly<Record<string, string>>; measures: unknown }>
  describe(measures: never): ResultTable[]
}
