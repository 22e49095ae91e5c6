import { type DeltasPayload, parsePayload, type RowsPayload } from './payload.ts'
import type { ProducerAnswer } from './tally.ts'

/** Time that is reserved for the last commit and for the answer before Lambda ends the function. */
const answerMs = 3_000

export type ProduceOptions = {
  publishDeltas: (payload: DeltasPayload, signal: AbortSignal) => Promise<ProducerAnswer>
  simulateRows: (payload: RowsPayload, signal: AbortSignal) => Promise<ProducerAnswer>
}

/** The producer: does what its payload says within the function's time, and answers what it has done. */
export function makeProduce({ publishDeltas, simulateRows }: ProduceOptions) {
  return async (event: unknown, context: { getRemainingTimeInMillis(): number }): Promise<ProducerAnswer> => {
    const payload = parsePayload(event)
    const signal = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - answerMs))
    return payload.mode === 'deltas' ? publishDeltas(payload, signal) : simulateRows(payload, signal)
  }
}
