import type { FunctionAnswer } from './function-call.ts'

/** The output for an answer: the result for stdout, or an error with the end of the log for stderr. */
export function describeAnswer(answer: FunctionAnswer, asJson: boolean): { out: string; err: string } {
  const { functionName, statusCode, functionError, payload, log } = answer
  if (asJson) return { out: JSON.stringify({ ...answer, payload: readPayload(payload) }), err: '' }
  if (statusCode === 202) return { out: `${functionName} will run.`, err: '' }
  const text = JSON.stringify(readPayload(payload), null, 2)
  if (functionError === undefined) return { out: text, err: '' }
  return { out: '', err: `${functionName} failed:\n${text}\n\nThe end of its log:\n${log.trimEnd()}` }
}

/** The answer of a function that streams may be text that is not JSON. */
function readPayload(payload: string): unknown {
  try {
    return payload === '' ? null : JSON.parse(payload)
  } catch {
    return payload
  }
}
