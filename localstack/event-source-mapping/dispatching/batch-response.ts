import type { Batch } from '../polling/batch.ts'

/** What a function answered for its batch. `failed` are the offsets that it reports, by `<topic>-<partition>`. */
export type BatchVerdict =
  | { result: 'done' }
  | { result: 'partly'; failed: Map<string, Set<number>> }
  | { result: 'failed'; reason: string }

/**
 * Reads a response under ReportBatchItemFailures. An empty response, `{}`, null and an empty list mean success. An
 * identifier that is not in the batch makes the whole batch fail.
 */
export function readBatchResponse(payload: Buffer, batch: Batch): BatchVerdict {
  const failures = parseFailures(payload)
  if (failures === undefined) return { result: 'failed', reason: 'the response is not JSON' }
  if (failures === null) return { result: 'done' }
  if (!Array.isArray(failures)) return { result: 'failed', reason: 'batchItemFailures is not a list' }

  const failed = new Map<string, Set<number>>()
  for (const failure of failures) {
    const { partition, offset } = failure?.itemIdentifier ?? {}
    const run = batch.parts.get(partition)
    const known = run?.runs.some(({ chunk, from, to }) => {
      const index = chunk.offsets.indexOf(offset, from)
      return index !== -1 && index < to
    })
    if (!known) return { result: 'failed', reason: `${JSON.stringify(failure)} is not in the batch` }
    failed.set(partition, (failed.get(partition) ?? new Set()).add(offset))
  }
  return failed.size === 0 ? { result: 'done' } : { result: 'partly', failed }
}

/** The list of failures; null when there is none, undefined when the response is not JSON. */
function parseFailures(payload: Buffer): unknown {
  if (payload.length === 0) return null
  try {
    return JSON.parse(payload.toString())?.batchItemFailures ?? null
  } catch {
    return undefined
  }
}
