import { deployDefinitions } from '#adapters/postgres/windows/deploy-definitions.ts'
import { definitionOf } from '#test-support/windows/definitions.ts'
import { type MeasuredStack, within } from '../measured-stack.ts'

/** A definition of windows by its name, which is a part of the name of its view, and its text. */
export type BenchDefinition = { readonly name: string; readonly text: string }

/**
 * Makes this the only definition of the target, and waits until it is complete. The windows' function has to run
 * meanwhile.
 */
export async function deployAlone({ target }: MeasuredStack, { name, text }: BenchDefinition): Promise<void> {
  await deployDefinitions(target, [{ file: `windows/${name}.sql`, text, definition: definitionOf(name, text) }])
  await within()(`the definition ${name} is shown`, async () => {
    const { rows } = await target.query<{ state: string; reason: string | null }>(
      'select state, reason from tidemark.window_definition where name = $1 order by id desc limit 1',
      [name],
    )
    const { state, reason } = rows[0]!
    if (state === 'stopped') throw new Error(`the definition ${name} is stopped: ${reason}`)
    return state === 'shown' ? { done: undefined } : { state }
  })
}
