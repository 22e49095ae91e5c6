import { findEngine, type RunningEngine } from '#localstack/engine.ts'
import { readSettings } from '#localstack/settings.ts'

/** The stack that runs on the data of this checkout. Throws an Error that says how to start it if there is none. */
export async function requireEngine(): Promise<RunningEngine> {
  const engine = await findEngine(readSettings(process.env))
  if (engine === undefined) throw new Error('Tidemark is not running here: start it with "npm start".')
  return engine
}
