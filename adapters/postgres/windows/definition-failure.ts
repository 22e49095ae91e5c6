import type pg from 'pg'
import { isOfServer, isTransient, sqlState } from '../session/transient-error.ts'
import type { BuiltDefinition } from './live-definitions.ts'

/** One definition cannot be computed, while the others can. */
export class DefinitionFailureError extends Error {
  override readonly name = 'DefinitionFailureError'
  readonly id: string

  constructor({ id }: BuiltDefinition, reason: string, cause: unknown) {
    super(reason, { cause })
    this.id = id
  }
}

/** Another transaction has changed a row of the image since it was read. The same work succeeds when it is done again. */
export class ImageChangedError extends Error {
  override readonly name = 'ImageChangedError'

  constructor(definition: string, cause?: unknown) {
    super(`another transaction has changed a row of the windows ${definition} at the same time`, { cause })
  }
}

const uniqueViolation = '23505'
const undefinedTable = '42P01'
const dependentObjects = '2BP01'

/** What users made on top of a result is never dropped, so it is named. */
function reasonOf({ definition }: BuiltDefinition, state: string, { message, detail }: pg.DatabaseError): string {
  if (state !== dependentObjects) return `${message} (SQLSTATE ${state})`
  return `${message}: ${detail?.replaceAll('\n', ', ')}. Drop these, and npm run windows -- rebuild ${definition.name}`
}

/** Runs a statement of one definition. An error that would come again stops this definition, not the topic partition. */
export async function blamingDefinition<T>(live: BuiltDefinition, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const state = sqlState(error)
    if (state === undefined || isTransient(error) || isOfServer(state)) throw error
    // Behind a statement that failed, each other one fails for that reason.
    if (state === '25P02') throw error
    // The definition was replaced, or its table got another generation, after the transaction had read the definitions.
    if (state === uniqueViolation || state === undefinedTable) throw new ImageChangedError(live.definition.name, error)
    throw new DefinitionFailureError(live, reasonOf(live, state, error as pg.DatabaseError), error)
  }
}
