// What every answer of the console's API is made of. Numbers of the user's data are texts, so that no digit is lost in JSON.

/** ISO 8601 in UTC, such as `2026-11-30T14:05:03.000001Z`. Times of Postgres have microseconds. */
export type Time = string

/** A place in the WAL, such as `0/16B3748`. */
export type LsnText = string

/**
 * A value of a column as Postgres writes it, with all digits. A long text is cut: `length` is that of the whole in UTF-16
 * units. `unavailable` is a value that is not known: of the row before a change that history does not have.
 */
export type Cell =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'cut'; readonly text: string; readonly length: number }
  | { readonly kind: 'null' }
  | { readonly kind: 'unavailable' }

/** The columns of a key and their values, in the order of the key. */
export type KeyCells = readonly { readonly name: string; readonly cell: Cell }[]

/** A part of a list. `next` continues it as the parameter `after`; null at its end. */
export type Page<T> = { readonly items: readonly T[]; readonly next: string | null }

/** What a panel shows instead of its content: which part does not answer, since when, and what to do. */
export type Unreachable = {
  readonly part: ConsolePart
  readonly why: string
  readonly since: Time
  /** The command that helps; null if it comes back by itself. */
  readonly command: string | null
}

/** The parts that the console asks. */
export type ConsolePart = 'source' | 'target' | 'kafka' | 'connect' | 'archive' | 'functions'

/** The body of every answer with a status of 400 or more. */
export type Problem = {
  readonly error: {
    /** What happened, to what, and why. */
    readonly message: string
    /** What resolves it; null if there is nothing to do. */
    readonly hint: string | null
    /** Set with status 503. */
    readonly unreachable?: Unreachable
  }
}
