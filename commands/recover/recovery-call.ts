import type { RecoveryAnswer } from '#lambdas/recover-capture/recover-capture.ts'
import { callFunction } from '../invoke/function-call.ts'

/** The answer of the function recover-capture to a recovery. */
export type Recovery = RecoveryAnswer

/**
 * Calls the function, which executes the recovery unless it is a dry run. Throws an Error with the error of the
 * function.
 */
export async function askRecovery(
  endpoint: string,
  recover: { dryRun: boolean; newEpoch: boolean },
): Promise<Recovery> {
  const answer = await callFunction(endpoint, {
    name: 'recover-capture',
    event: JSON.stringify({ recover }),
    async: false,
  })
  if (answer.functionError === undefined) return JSON.parse(answer.payload) as Recovery
  throw new Error(messageOf(answer.payload))
}

function messageOf(payload: string): string {
  try {
    return String(JSON.parse(payload).errorMessage)
  } catch {
    return payload
  }
}
