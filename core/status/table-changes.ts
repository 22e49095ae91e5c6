import type { TargetObservation } from './observations.ts'

/** Notes when each table of the target was last seen to be written to. Times are milliseconds of one clock. */
export class TableChanges {
  readonly #writes = new Map<string, number>()
  readonly #changedAtMs = new Map<string, number>()

  /** Takes an observation of the target. A table that is seen for the first time has not changed. */
  see({ tables }: Pick<TargetObservation, 'tables'>, nowMs: number): void {
    for (const { name, writes } of tables) {
      const before = this.#writes.get(name)
      if (before !== undefined && before !== writes) this.#changedAtMs.set(name, nowMs)
      this.#writes.set(name, writes)
    }
  }

  /** When the rows of each table were last seen to change, by name. */
  get changedAtMs(): ReadonlyMap<string, number> {
    return this.#changedAtMs
  }
}
