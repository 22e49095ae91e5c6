/** What a verb gets of the arguments. */
export type WindowsArguments = {
  readonly words: readonly string[]
  readonly limit: number
  readonly waits: boolean
  readonly waitMs: number
  readonly json: boolean
  readonly brokers: string | undefined
  readonly iam: boolean
  readonly source: string | undefined
  readonly target: string | undefined
}
