import type { RecoveryAnswer } from '../../recover-capture/recover-capture.ts'
import { type ActionExecutor, type ActionPlan, ActionRefusedError } from '../routes/actions.ts'

/** The function recover-capture. */
export type RecoveryPort = {
  /** What it found, and what it would do. */
  readonly diagnose: () => Promise<RecoveryAnswer>
  /** Has it begin. It may take longer than a page waits. */
  readonly begin: () => Promise<unknown>
}

/** Recovers capture. Its target is always `all`. */
export function recoveryAction({ diagnose, begin }: RecoveryPort): { readonly 'capture.recover': ActionExecutor } {
  return {
    'capture.recover': {
      plan: async () => planOf(await diagnose()),
      execute: async () => {
        const plan = planOf(await diagnose())
        if (plan.kind === 'refused') throw new ActionRefusedError(plan.why, plan.hint)
        await begin()
        return 'the recovery has begun: the state of capture shows how it goes'
      },
    },
  }
}

const COMMAND = 'npm run recover'

function planOf({ diagnosis: { findings }, steps }: RecoveryAnswer): ActionPlan {
  if (findings.length === 0) return { kind: 'refused', why: 'nothing is wrong with capture', hint: null }
  const found = findings.map(({ cause, follows }) => sentence(`${cause}: ${follows}`))
  if (steps.length === 0)
    return { kind: 'refused', why: found.join(' '), hint: 'Tidemark can do nothing about it by itself.' }
  return {
    kind: 'plan',
    will: [...found, ...steps.map(({ what }) => sentence(what)), ...findings.map(({ readers }) => sentence(readers))],
    command: COMMAND,
    needsReason: false,
  }
}

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
