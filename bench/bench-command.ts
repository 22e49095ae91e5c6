import type { Machine } from './machine/machine.ts'

/** What a command measured, as its file in `bench/results` has it. */
export type BenchResult<Measures = unknown> = {
  readonly command: string
  /** The arguments, but for those that say where the result goes. */
  readonly arguments: readonly string[]
  /** When it began, in ISO 8601. */
  readonly measuredAt: string
  readonly machine: Machine
  /** What has an influence on the figures and can be chosen, by name. */
  readonly configuration: Readonly<Record<string, string>>
  readonly measures: Measures
}

/** Tables of a result: for a terminal, and for the report. */
export type ResultTable = {
  readonly title: string
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Sentences under it. */
  readonly notes?: readonly string[]
}

/** One of the commands of `npm run bench`. */
export type BenchCommand = {
  readonly name: string
  readonly help: string
  /** Measures; `file` is the name of the result in `bench/results`. Throws a UsageError for a wrong argument. */
  run(
    argv: string[],
    onProgress: (what: string) => void,
  ): Promise<{ file: string; configuration: Readonly<Record<string, string>>; measures: unknown }>
  describe(measures: never): ResultTable[]
}
