import type { ChangeLog } from './change-log.ts'
import type { LivedChange } from './lived-change.ts'
import type { Sent } from './repeated-delivery.ts'

/** A record that is not sent yet, so that the generation of its change is not known. */
export type Unsent = Omit<Sent, 'epoch' | 'generation' | 'expected'> & {
  readonly expected?: Omit<LivedChange, 'epoch' | 'generation'>
}

type Origin = { readonly lsn: number; readonly txId: number; readonly epoch: number; readonly committedAtMs: number }

/** Writes a change as a record. */
export type AppendChange = (log: ChangeLog, origin: Origin) => void

/** A transaction of the source that is not committed yet. Its changes are sent at its commit. */
export class OpenTransaction {
  /** The rows that it has locked. */
  readonly ids = new Set<number>()
  readonly #txId: number
  readonly #changes: ((committedAtMs: number) => Unsent)[] = []

  constructor(txId: number) {
    this.#txId = txId
  }

  add(
    change: Omit<LivedChange, 'epoch' | 'generation' | 'committedAtMs'>,
    { topicPartition, epoch, leavesOut }: { topicPartition: number; epoch: number; leavesOut: boolean },
    append: AppendChange,
  ): void {
    const origin = { lsn: change.lsn, txId: this.#txId, epoch }
    this.#changes.push((committedAtMs) => ({
      ...{ topicPartition, leavesOut, expected: { ...change, committedAtMs } },
      append: (log) => append(log, { ...origin, committedAtMs }),
    }))
  }

  commit(committedAtMs: number): Unsent[] {
    return this.#changes.map((change) => change(committedAtMs))
  }
}
