/** The name of a definition, which is the name of its file and of its view. */
export const DEFINITION_NAME = /^[a-z][a-z0-9_]{0,47}$/

/** A column of the result: the user's SQL, and the name that it has there. */
export type NamedExpression = { readonly alias: string; readonly sql: string }

/**
 * What a file of `windows/` says: groups of rows of one table by event time and keys, and what is computed of each
 * group. Lengths of time are in microseconds. The SQL is that of the file, and Postgres has yet to check it.
 */
export type WindowDefinition = {
  /** Matches DEFINITION_NAME. */
  readonly name: string
  readonly source: { readonly schema: string; readonly table: string }
  /** The column of the source that has the event time. */
  readonly eventTime: string
  /** Tumbling windows have a slide that equals their size. */
  readonly window: { readonly sizeMicros: bigint; readonly slideMicros: bigint }
  /** The watermark is the newest event time minus this. */
  readonly boundMicros: bigint
  /** How long after the end of its window a row still revises it. */
  readonly allowedLatenessMicros: bigint
  /** What is done with rows that are later than allowed. */
  readonly lateRows: 'count' | 'set aside'
  /** Rows are set aside whose event time is more than this ahead of their commit; undefined: they are counted. */
  readonly futureAfterMicros: bigint | undefined
  readonly emit: 'on update' | 'on close'
  /** A topic partition without rows for this long does not hold the watermark back. */
  readonly idleAfterMicros: bigint
  /** The topic to which results are published. */
  readonly publish: string | undefined
  readonly keys: readonly NamedExpression[]
  readonly aggregates: readonly NamedExpression[]
  readonly where: string | undefined
  readonly having: string | undefined
  /** The query of the view, in which `windows` stands for the groups. */
  readonly view: string | undefined
}
