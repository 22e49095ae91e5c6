/** A row as history shows it. */
export type HistoryRow = Readonly<Record<string, string | number | null>> | null

/** A change as history must show it. */
export type LivedChange = {
  readonly op: 'insert' | 'update' | 'delete' | 'truncate' | 'read'
  readonly id: number | null
  readonly epoch: number
  readonly generation: number
  readonly lsn: number
  readonly committedAtMs: number
  readonly before: HistoryRow
  readonly after: HistoryRow
  /**
   * Whether the generation had the row before the change, because it was read or streamed since the generation began.
   */
  readonly isKnown: boolean
}
