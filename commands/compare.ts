import { parseArgs } from 'node:util'
import { makeProgressLine } from '#terminal/progress-line.ts'
import { compareDatabases, isEqual } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'
import { requireEngine } from './running/running-engine.ts'
import { whyCaptureIsDown } from './running/running-status.ts'

const help = `npm run compare [-- --json] [--table schema.table] [--rows number] [--timeout seconds]
                [--source URL --target URL]

Waits until everything that is committed in the source so far is visible in the target. Then compares every captured column
of every row of every captured table, also while changes go on. Keyless tables are compared as multisets.
  --json      prints the result as JSON, with whole values
  --table     compares one table only
  --rows      the number of differing rows to show of each table (5; 1,000 with --json)
  --timeout   the number of seconds to wait (600)
  --source, --target   other databases than those of the running stack: the source as its administrator, the target as
              a role that may read
Exits with 0 when nothing differs and no table is stopped, with 1 otherwise, and with 2 when it could not compare: for
example when the snapshot of a table is not complete in time, or at once when nothing is captured.`

const options = {
  json: { type: 'boolean' },
  table: { type: 'string' },
  rows: { type: 'string' },
  timeout: { type: 'string', default: '600' },
  source: { type: 'string' },
  target: { type: 'string' },
  help: { type: 'boolean' },
} as const

/** Returns 0 when source and target are equal, 1 when they are not, and 2 when they could not be compared. */
export async function main(argv: string[]): Promise<number> {
  try {
    return await compare(argv)
  } catch (error) {
    console.error(`could not compare: ${(error as Error).message}`)
    return 2
  }
}

async function compare(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options })
  if (values.help) {
    console.log(help)
    return 0
  }
  const waitMs = Number(values.timeout) * 1_000
  if (!(waitMs > 0)) throw new Error(`--timeout ${values.timeout} is not a number of seconds`)
  const examples = Number(values.rows ?? (values.json ? 1_000 : 5))
  if (!Number.isInteger(examples) || examples < 0) throw new Error(`--rows ${values.rows} is not a number of rows`)
  const progress = makeProgressLine()
  const comparison = await compareDatabases({
    ...(await databases(values)),
    ...(values.table && { table: values.table }),
    examples,
    waitMs,
    onProgress: progress.show,
  }).finally(progress.clear)
  console.log(
    values.json ? JSON.stringify(comparison, null, 2) : describeComparison(comparison, process.stdout.columns),
  )
  return isEqual(comparison) ? 0 : 1
}

async function databases(values: { source?: string; target?: string }): Promise<{ source: string; target: string }> {
  const { source, target } = values
  if (source !== undefined && target !== undefined) return { source, target }
  if (source !== undefined || target !== undefined) throw new Error('give both --source and --target, or neither')
  const engine = await requireEngine()
  const down = await whyCaptureIsDown(engine)
  if (down !== undefined) throw new Error(down)
  return { source: engine.endpoints.source, target: engine.endpoints.reader }
}
