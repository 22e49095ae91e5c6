import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { MSKEvent } from 'aws-lambda'
import { type ArchiveServices, makeArchiveFunctions } from '#test-support/archive-readers/archive-functions.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'

/** What a process archives: events in files, in this order. */
export type FunctionLoad = {
  readonly services: ArchiveServices
  readonly databaseUrl: string
  readonly files: readonly string[]
  /**
   * How many of the first events are not counted, because the process starts and V8 compiles the hot code during them.
   */
  readonly notCounted: number
}

/** When the process archived, in ms since 1970, and the resources that it needed. */
export type FunctionRun = {
  readonly records: number
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** Processor seconds of this process alone, without the servers. */
  readonly coreSeconds: number
  readonly memoryBytes: number
}

/** Archives one event after the other. Each is read and parsed as Lambda's runtime does it. */
async function archiveAll({ services, databaseUrl, files, notCounted }: FunctionLoad): Promise<FunctionRun> {
  const pool = lastingPool({ connectionString: databaseUrl, max: 4 })
  const { archive } = makeArchiveFunctions(services, pool)
  let records = 0
  let startedAtMs = Date.now()
  let before = process.cpuUsage()
  for (const [index, file] of files.entries()) {
    if (index === notCounted) [startedAtMs, before] = [Date.now(), process.cpuUsage()]
    const event = JSON.parse((await readFile(file)).toString()) as MSKEvent
    await archive(event)
    if (index >= notCounted) records += Object.values(event.records).reduce((sum, each) => sum + each.length, 0)
  }
  const endedAtMs = Date.now()
  const { user, system } = process.cpuUsage(before)
  await pool.end()
  const coreSeconds = (user + system) / 1e6
  return { records, startedAtMs, endedAtMs, coreSeconds, memoryBytes: await mostResident() }
}

async function mostResident(): Promise<number> {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(await readFile('/proc/self/status', 'utf8'))!
  return Number(kilobytes) * 1024
}

// This runs in a process of its own, so that its memory is not mixed with that of other measurements.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await archiveAll(JSON.parse(process.argv[2]!) as FunctionLoad)))
}
