import type { Time } from './values.ts'

export const ACTION_NAMES = [
  'table.resync',
  'table.accept',
  'quarantine.retry',
  'quarantine.discard',
  'connector.create',
  'connector.restart',
  'connector.pause',
  'connector.resume',
  'connector.delete',
  'capture.recover',
] as const
export type ActionName = (typeof ACTION_NAMES)[number]

/**
 * `POST /actions/<name>`. Without `confirmed` nothing is changed, and the answer says what will happen. `target` is a
 * table, a place in quarantine, `all`, or a connector. `configuration` is that of a connector that is created.
 */
export type ActionRequest = {
  readonly target: string
  readonly confirmed: boolean
  /** Kept with the action. Discarding needs one. */
  readonly reason?: string
  readonly configuration?: Readonly<Record<string, string>>
}

/** `plan` is the answer before the confirmation; each entry is a sentence about what will happen. */
export type ActionAnswer =
  | {
      readonly kind: 'plan'
      readonly will: readonly string[]
      readonly command: string | null
      readonly needsReason: boolean
    }
  | { readonly kind: 'done'; readonly result: string }
  | { readonly kind: 'refused'; readonly why: string; readonly hint: string | null }

/** A row of `GET /actions?after=…`, newest first: what was done by this or another console. */
export type RecordedAction = {
  readonly id: string
  readonly at: Time
  readonly who: string
  readonly action: ActionName
  readonly target: string
  readonly reason: string | null
  readonly outcome: 'running' | 'done' | 'refused' | 'failed'
  readonly result: string | null
}
