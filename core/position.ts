import type { Lsn } from './lsn.ts'

/** A read of the initial snapshot (0) precedes every streamed change (1) of its epoch, whatever their Lsns. */
export type Phase = 0 | 1

/**
 * Place of a version of a row in the order of all its versions. The epoch grows when the source, its slot or its
 * timeline is replaced, since Lsns of two epochs cannot be compared.
 */
export type Position = { readonly epoch: number; readonly phase: Phase; readonly lsn: Lsn }

/** After every position that a record can have. */
export const latest: Position = { epoch: Number.MAX_SAFE_INTEGER, phase: 1, lsn: Number.MAX_SAFE_INTEGER }

/** Negative when a is older than b, positive when it is newer, 0 when they are the same place. */
export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.phase - b.phase || a.lsn - b.lsn
}
