import { type DrainRun, drainHeld, holdOfApply } from '../drain/held-drain.ts'
import type { MeasuredStack } from '../measured-stack.ts'
import { orderOfTurn } from '../turns.ts'
import { bench } from '../workloads/bench.ts'
import { checksums, fill } from '../workloads/fill.ts'
import { allChanges, hasArrived } from '../workloads/workload.ts'
import { BROWSER, startBrowser } from './browser-process.ts'
import { CONSOLE } from './console-process.ts'
import type { MeasuredConsole } from './measured-console.ts'

/** The same changes drained with pages of the console open and without, one run of each in a turn. */
export type CostResult = {
  readonly changes: number
  readonly withPages: DrainRun[]
  readonly withoutPages: DrainRun[]
}

export type CostOptions = {
  readonly rows: number
  readonly runs: number
  readonly onProgress: (what: string) => void
}

const variants = ['withPages', 'withoutPages'] as const

type Variant = (typeof variants)[number]

/**
 * Drains in turns, as `drain` does, of which every second one goes backwards. The console runs all the time. Each
 * variant drains once without being counted. Throws an Error when a final state is not that of the source.
 */
export async function measureCost(measured: MeasuredConsole, options: CostOptions): Promise<CostResult> {
  const { rows, runs, onProgress } = options
  const { stack, console } = measured
  const browser = startBrowser({ yields: true })
  const uncount = [stack.count(BROWSER, browser.pid), stack.count(CONSOLE, console.pid)]
  const found: Record<Variant, DrainRun[]> = { withPages: [], withoutPages: [] }
  try {
    await stack.archive.hold()
    for (let run = 0; run <= runs; run++) {
      for (const variant of orderOfTurn(run === 0 ? 1 : run, variants)) {
        const turn = `${run === 0 ? 'not counted' : `run ${run} of ${runs}`}, ${variant === 'withPages' ? 'two pages are open' : 'no page is open'}`
        const prefix = `cost${run}${variant === 'withPages' ? 'a' : 'b'}`
        await prepare(stack, { prefix, rows, onProgress: (what) => onProgress(`${turn}: ${what}`) })
        if (variant === 'withPages')
          for (const [page, path] of pages) await browser.call('open', page, console.url + path)
        const drained = await drain(stack, { prefix, rows, onHeld: () => onProgress(`${turn}: draining`) })
        if (variant === 'withPages') for (const [page] of pages) await browser.call('close', page)
        if (run > 0) found[variant].push(drained)
      }
    }
    await stack.archive.release()
    return { changes: allChanges(bench, rows), ...found }
  } finally {
    for (const each of uncount) each()
    await browser.stop()
  }
}

/** The pages that ask most: one gets every snapshot, the other what was applied each second. */
const pages = [
  ['overview', '/'],
  ['changes', '/changes'],
] as const

type Filled = { readonly prefix: string; readonly rows: number }

/** Fills a table while apply is held. Afterwards its changes are on the topic, and Connect has no task. */
async function prepare(
  { capture, apply, source, createTables }: MeasuredStack,
  { prefix, rows, onProgress }: Filled & Pick<CostOptions, 'onProgress'>,
): Promise<void> {
  onProgress('creating tables')
  await capture.start()
  await apply.release()
  await createTables(bench.tables(prefix))
  await apply.hold()
  await fill(source, { workload: bench, prefix, rows }, (count) => onProgress(`${count} transactions are committed`))
  onProgress('Debezium captures')
  await capture.caughtUp()
  await capture.stop()
}

async function drain(
  stack: MeasuredStack,
  { prefix, rows, onHeld }: Filled & { readonly onHeld: () => void },
): Promise<DrainRun> {
  const tables = bench.tables(prefix)
  const run = await drainHeld(stack, {
    url: stack.pipeline.engine.endpoints.target,
    arrived: hasArrived(tables),
    state: (client) => checksums(client, tables),
    expected: await checksums(stack.source, tables),
    changes: allChanges(bench, rows),
    hold: holdOfApply,
    begin: () => stack.apply.release(),
    onHeld,
  })
  if (!run.isEqual) throw new Error(`${prefix}: the final state is not that of the source`)
  return run
}
