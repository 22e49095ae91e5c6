import type { ConsolePart, Unreachable } from '#core/console/values.ts'
import { messageOf, PartUnreachableError } from './request-problem.ts'

/** Which parts do not answer, and since when: asked through `ask`, a part that fails is noted until it answers again. */
export type UnreachableParts = {
  /** Resolves with the answer, or throws a PartUnreachableError if the part cannot be reached. */
  ask<T>(part: ConsolePart, work: () => Promise<T>): Promise<T>
  list(): readonly Unreachable[]
  of(error: PartUnreachableError): Unreachable
}

/** Commands that help where a part does not answer. The others come back by themselves. */
const commands: Partial<Record<ConsolePart, string>> = { connect: 'npm run status' }

/** `isUnreachable` distinguishes a part that does not answer from one that answers with an error. */
export function makeUnreachableParts(now: () => Date, isUnreachable: (error: unknown) => boolean): UnreachableParts {
  const down = new Map<ConsolePart, Unreachable>()
  const note = (part: ConsolePart, why: string): Unreachable => {
    const noted = { part, why, since: down.get(part)?.since ?? now().toISOString(), command: commands[part] ?? null }
    down.set(part, noted)
    return noted
  }
  return {
    async ask(part, work) {
      try {
        const answer = await work()
        down.delete(part)
        return answer
      } catch (error) {
        if (!isUnreachable(error)) throw error
        note(part, messageOf(error))
        throw new PartUnreachableError(part, error)
      }
    },
    list: () => [...down.values()],
    of: (error) => note(error.part, error.message),
  }
}
