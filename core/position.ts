import type { Lsn } from './lsn.ts'

/**
 * 0 is a read of the initial snapshot, 1 a streamed change. A read precedes every streamed change of its epoch,
 * whatever their Lsns are.
 */
export type Phase = 0 | 1

/**
 * Place of a version of a row in the order of all its versions. The epoch grows when the source, its replication slot
 * or its timeline is replaced, since Lsns of two epochs cannot be compared.
 */
export type Position = { readonly epoch: number; readonly phase: Phase; readonly lsn: Lsn }

/** A position after every position that a record can have. */
export const latest: Position = { epoch: Number.MAX_SAFE_INTEGER, phase: 1, lsn: Number.MAX_SAFE_INTEGER }

/** Negative when a is older than b, positive when it is newer, 0 when they are the same place. */
export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.phase - b.phase || a.lsn - b.lsn
}
