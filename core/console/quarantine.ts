import type { ActionName } from './actions.ts'
import type { Payload, ShownRecord } from './topics.ts'
import type { Time } from './values.ts'

/** A row of `GET /quarantine?table=…&after=…`. */
export type QuarantinedItem = {
  /** Such as `changes-2@17`. */
  readonly place: string
  readonly table: string | null
  readonly reason: string
  readonly keptAt: Time
  /** Whether it waits to be applied again. */
  readonly isRetried: boolean
  readonly value: Payload | null
}

/** `GET /quarantine/<place>`. */
export type QuarantinedDetail = QuarantinedItem & {
  readonly key: Payload | null
  readonly headers: readonly { readonly name: string; readonly value: Payload | null }[]
  /** What was expected: the columns and types of the contract in force; null where no contract names the record. */
  readonly expected: readonly { readonly name: string; readonly type: string }[] | null
  /** The records before and after it in its topic partition; empty where Kafka no longer has them. */
  readonly neighbours: readonly ShownRecord[]
  /** What may be done with it, and what each does to the order of changes. */
  readonly choices: readonly { readonly action: ActionName; readonly target: string; readonly does: string }[]
}
