import { UsageError } from '#terminal/usage-error.ts'
import { bench, bulk, hot, largeIntegers, manyTables, wide } from './bench.ts'
import { tpcb } from './pgbench.ts'
import { taxi } from './taxi.ts'
import type { Workload } from './workload.ts'

/** All workloads, the default one first. */
export const workloads: readonly Workload[] = [bench, tpcb, wide, hot, manyTables, bulk, taxi, largeIntegers]

/** Returns the workload. Throws a UsageError that lists all workloads when there is none of that name. */
export function workloadNamed(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name)
  if (found !== undefined) return found
  throw new UsageError(
    `There is no workload '${name}'. There are: ${workloads.map((workload) => workload.name).join(', ')}.`,
  )
}
