import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import type { RunningEngine } from '#localstack/engine.ts'
import { makeProgressLine } from '#terminal/progress-line.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { compareDatabases, isEqual } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'
import { callFunction } from './invoke/function-call.ts'
import { askRecovery, type Recovery } from './recover/recovery-call.ts'
import { describePlan, describeSteps } from './recover/recovery-report.ts'
import { waitUntilReadAgain } from './recover/tables-read-again.ts'
import { openSource } from './resync/resynced-tables.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run recover [-- --dry-run] [--yes] [--new-epoch] [--json] [--timeout seconds]

Finds out why changes of the source do not arrive in the target. It says what it will do and what readers see meanwhile,
asks, does it, and then compares source and target. It can be interrupted and run again at any moment.
  --dry-run    says what it would do, and does nothing
  --yes        does not ask; it is required where there is no terminal
  --new-epoch  begins a new epoch, with a new replication slot and a new snapshot of every captured table, whatever the
               cause is
  --json       prints diagnosis, steps and comparison as JSON
  --timeout    the number of seconds to wait for tables and for the comparison (3600); the recovery goes on afterwards
Exits with 0 when source and target are equal at the end (with --dry-run: when nothing is wrong), with 1 when they are not or
a step failed, and with 2 when the recovery was not begun.`

const options = {
  'dry-run': { type: 'boolean', default: false },
  yes: { type: 'boolean', default: false },
  'new-epoch': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  timeout: { type: 'string', default: '3600' },
  help: { type: 'boolean' },
} as const

/** Returns 0 when source and target are equal, 1 when they are not or a step failed, and 2 when nothing was begun. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options })
  if (values.help) {
    console.log(help)
    return 0
  }
  const waitMs = Number(values.timeout) * 1_000
  if (!(waitMs > 0)) throw new UsageError(`--timeout ${values.timeout} is not a number of seconds`)
  const isAsking = !values['dry-run'] && !values.yes
  if (isAsking && (values.json || !process.stdin.isTTY)) {
    throw new UsageError('there is no terminal to ask on: give --yes, or --dry-run to see what would be done')
  }
  try {
    return await recover(await requireEngine(), { ...values, newEpoch: values['new-epoch'], isAsking, waitMs })
  } catch (error) {
    console.error(`could not recover: ${(error as Error).message}`)
    return 2
  }
}

type RecoverOptions = { 'dry-run': boolean; newEpoch: boolean; json: boolean; isAsking: boolean; waitMs: number }

async function recover(engine: RunningEngine, asked: RecoverOptions): Promise<number> {
  const { json, newEpoch, waitMs } = asked
  const deadline = Date.now() + waitMs
  const { endpoint } = engine.endpoints
  const planned = await askRecovery(endpoint, { dryRun: true, newEpoch })
  if (!json) console.log(describePlan(planned, newEpoch))
  if (asked['dry-run']) {
    if (json) console.log(JSON.stringify(planned, null, 2))
    return planned.diagnosis.findings.length === 0 ? 0 : 1
  }
  if (planned.steps.length > 0) {
    if (asked.isAsking && !(await isAgreed())) return 2
    const done = await underWay(json, 'recovering', () => askRecovery(endpoint, { dryRun: false, newEpoch }))
    if (!json) console.log(describeSteps(done.steps))
    if (done.steps.some((step) => !step.done)) return report(done, json)
    return finish(engine, done, { json, deadline })
  }
  // If the problem has to be resolved by time or by a person, nothing is compared, because no changes arrive until
  // then.
  if (planned.diagnosis.state !== 'running') return report(planned, json)
  return finish(engine, planned, { json, deadline })
}

/** Ends a recovery of which not everything was done, or nothing could be done. */
function report(recovery: Recovery, json: boolean): number {
  if (json) console.log(JSON.stringify(recovery, null, 2))
  return 1
}

async function isAgreed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await terminal.question('Go on? [y/N] ')
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}

async function finish(
  { endpoints }: RunningEngine,
  recovery: Recovery,
  { json, deadline }: { json: boolean; deadline: number },
): Promise<number> {
  // Otherwise tables would be captured only by the next run of the schedule, up to a minute later.
  await callFunction(endpoints.endpoint, { name: 'capture-tables', event: '{}', async: true })
  const progress = makeProgressLine()
  const source = await openSource(endpoints.source)
  try {
    await waitUntilReadAgain(source, { deadline, onProgress: progress.show })
  } finally {
    progress.clear()
    await source.end()
  }
  const comparison = await compareDatabases({
    ...{ source: endpoints.source, target: endpoints.reader },
    waitMs: Math.max(1, deadline - Date.now()),
    onProgress: progress.show,
  }).finally(progress.clear)
  console.log(
    json
      ? JSON.stringify({ ...recovery, comparison }, null, 2)
      : describeComparison(comparison, process.stdout.columns),
  )
  return isEqual(comparison) ? 0 : 1
}

async function underWay<T>(isSilent: boolean, what: string, work: () => Promise<T>): Promise<T> {
  const progress = makeProgressLine()
  if (!isSilent) progress.show(what)
  return work().finally(progress.clear)
}
