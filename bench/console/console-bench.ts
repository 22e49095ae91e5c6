import { type CostResult, measureCost } from './cost.ts'
import { withConsole, withStack } from './measured-console.ts'
import { type MemoryResult, measureMemory } from './memory.ts'
import { measureRoutes, type RoutesResult } from './routes.ts'
import { measureSeen, type SeenResult } from './seen.ts'

/** The parts that can be measured each by itself, in their order. */
export const parts = ['cost', 'seen', 'memory', 'routes'] as const

export type Part = (typeof parts)[number]

/** Has the parts that were measured. */
export type ConsoleResult = {
  readonly cost?: CostResult
  readonly seen?: SeenResult
  readonly memory?: MemoryResult
  readonly routes?: RoutesResult
}

export type ConsoleBenchOptions = {
  readonly only: readonly Part[]
  readonly rows: number
  readonly runs: number
  readonly loads: number
  readonly commits: number
  readonly minutes: number
  readonly perSecond: number
  readonly tables: number
  readonly changes: number
  readonly requests: number
  readonly onProgress: (what: string) => void
}

/** Measures the parts one after the other: all but the routes on one stack, each with a console of its own. */
export async function measureConsole(options: ConsoleBenchOptions): Promise<ConsoleResult> {
  const { only, onProgress } = options
  const has = (part: Part) => only.includes(part)
  const needsStack = has('cost') || has('seen') || has('memory')
  const onStack = needsStack
    ? await withStack(onProgress, async (stack) => ({
        ...(has('cost') && { cost: await withConsole(stack, (measured) => measureCost(measured, options)) }),
        ...(has('seen') && { seen: await withConsole(stack, (measured) => measureSeen(measured, options)) }),
        ...(has('memory') && { memory: await withConsole(stack, (measured) => measureMemory(measured, options)) }),
      }))
    : {}
  return { ...onStack, ...(has('routes') && { routes: await measureRoutes(options) }) }
}
