import type { RecoveryAnswer } from '#lambdas/recover-capture/recover-capture.ts'
import { callFunction } from '../invoke/function-call.ts'

/** What the function recover-capture answers to a recovery. */
export type Recovery = RecoveryAnswer

/** Asks the function, which does it unless it is a dry run. Throws an Error with what the function failed with. */
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
