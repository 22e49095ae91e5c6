import type { Status } from '../status/status.ts'
import type { ActionName } from './actions.ts'
import type { Equality } from './equality.ts'
import type { Time, Unreachable } from './values.ts'

/** `GET /session`: who looks, and what this console can do. It is asked once, and again after a 401. */
export type Session = {
  /** The product's version. */
  readonly version: string
  /** The name under which actions are recorded. */
  readonly who: string
  /** The actions that this console executes; empty where actions are off or the role may only read. */
  readonly actions: readonly ActionName[]
  /** Why `actions` is empty; null if it is not. */
  readonly actionsOff: string | null
  /** Has to be sent as the header `x-tidemark-token` with everything but GET. A page of another origin cannot read it. */
  readonly token: string
  /** Whether `GET /events` sends snapshots as they change. Without it the snapshot is polled. */
  readonly events: boolean
  /** Where the archive is queried: by `POST /archive/query`, by a link to Athena, or nowhere. */
  readonly archiveQuery:
    | { readonly kind: 'here' }
    | { readonly kind: 'athena'; readonly url: string }
    | { readonly kind: 'none' }
  /** The name of the stage, such as `local`. */
  readonly stage: string
}

/**
 * `GET /snapshot`: everything that is seen at a glance. It is polled with `If-None-Match`. A snapshot stays the same for
 * up to 15 seconds while only ages, small lags and figures that beacons move would change, so that an idle stack mostly
 * answers 304; ages hold as of `at`. `version` grows when its shape changes in a way that an older page cannot read.
 */
export type Snapshot = {
  readonly version: 1
  readonly at: Time
  /** Null until the first status was made; `unreachable` says why. */
  readonly status: Status | null
  /** What does not answer. The panels that need it say so. */
  readonly unreachable: readonly Unreachable[]
  /** Most severe first. */
  readonly problems: readonly ShownProblem[]
  /** The replication slot's retained WAL and the limit at which Postgres gives it up; null without a limit or a slot. */
  readonly slot: { readonly retainedBytes: number; readonly limitBytes: number | null } | null
  /** The last comparison of source and target, without the differing rows; null before the first. */
  readonly equality: Equality | null
}

/** Something that is wrong, what follows from it, and how it is resolved. */
export type ShownProblem = {
  readonly severity: 'stopped' | 'failing' | 'attention'
  /** Such as `public.orders` or `changes-2 at offset 17`. */
  readonly what: string
  readonly why: string
  /** What goes on, and what does not. */
  readonly follows: string
  readonly since: Time | null
  /** A command for a shell; null if it resolves by itself. */
  readonly command: string | null
  /** The SQL that the source needs, or the target where `follows` says so; null if there is none. */
  readonly sql: string | null
  /** The action that resolves it, with its arguments; null if none does. */
  readonly action: { readonly name: ActionName; readonly target: string } | null
  /** The screen that shows more, as a path of the page such as `/tables/public.orders`. */
  readonly path: string | null
}
