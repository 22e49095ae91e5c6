import { join } from 'node:path'
import type { MeasuredStack } from '../measured-stack.ts'
import { bench } from '../workloads/bench.ts'
import type { LoadCalls, SteadyLoad } from './load-program.ts'
import { type ProgramProcess, startProgram } from './program-process.ts'

/** Writes changes in a process of its own until it is stopped. */
export type LoadProcess = ProgramProcess<LoadCalls>

/** Makes a table whose name begins with the prefix, and begins to change its rows at a steady rate. */
export async function startLoad(
  { pipeline, createTables }: MeasuredStack,
  { prefix, perSecond }: { prefix: string; perSecond: number },
): Promise<LoadProcess> {
  const [table] = bench.tables(prefix)
  await createTables([table!])
  const load: SteadyLoad = { sourceUrl: pipeline.engine.endpoints.source, table: table!.name, perSecond }
  const process = startProgram<LoadCalls>(join(import.meta.dirname, 'load-program.ts'), [JSON.stringify(load)])
  await process.call('committed')
  return process
}
