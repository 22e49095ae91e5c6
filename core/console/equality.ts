import type { Time } from './values.ts'

/** `GET /equality`: a comparison of source and target that runs or has ended. `POST /equality` with `{ tables }` begins one. */
export type Equality = {
  readonly state: 'waiting' | 'comparing' | 'done' | 'failed'
  readonly beganAt: Time
  /** Everything that was committed before is compared; null until the comparison has passed the beacon. */
  readonly asOf: Time | null
  /** Why it failed or could not begin. */
  readonly why: string | null
  readonly tables: readonly {
    readonly table: string
    readonly state: 'waiting' | 'equal' | 'different' | 'not compared'
    readonly asOf: Time | null
    readonly rows: number | null
    readonly why: string | null
    /** At most 20 rows, side by side. */
    readonly differences: readonly {
      readonly key: string
      readonly source: string | null
      readonly target: string | null
    }[]
  }[]
}
