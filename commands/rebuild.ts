import { parseArgs } from 'node:util'
import { type Cut, parseCut, schemaOf } from '#rebuild/cut.ts'
import { describeCompared, describePublished } from '#rebuild/rebuild-report.ts'
import { type RebuildOptions, rebuildAndCompare, rebuildAndPublish } from '#rebuild/rebuild-state.ts'
import { withClient } from '#rebuild/scratch-database.ts'
import { isEqualState } from '#rebuild/state-comparison.ts'
import { untilInterrupted } from '#terminal/interruption.ts'
import { makeProgressLine } from '#terminal/progress-line.ts'
import { requireTables } from '#terminal/table-names.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { archiveOptions, archiveOptionsHelp, findArchive } from './archive/archive-options.ts'
import { readKnownTables } from './arguments/known-tables.ts'

const help = `npm run rebuild -- [--table schema.table]… [--rows number] [--timeout seconds] [--json]
npm run rebuild -- --until <time | beacon> [--table schema.table]… [--into schema] [--replace] [--json]

Rebuilds the latest state from the archive alone, in a database that it creates on the target's server and drops at the end.
Without --until it rebuilds the state that the live target has and compares every row with it, while changes go on.
  --until     rebuilds the state of another time and puts it into a schema of the target: everything that the source
              committed at or before a time (2026-11-27T14:05:00Z; UTC where no zone is given), or before the beacon with
              this number
  --into      the name of the schema (tidemark_<time> or tidemark_beacon_<number>)
  --replace   replaces a schema of an earlier rebuild
  --table     compares or copies this table only; may be given several times
  --rows      the number of differing rows to show of each table (5; 1,000 with --json)
  --timeout   the number of seconds to wait for the archive (600)
  --json      prints the result as JSON
${archiveOptionsHelp}
Exits with 0 when the states are equal or the schema is created, with 1 when they differ, and with 2 when it could not
rebuild.`

const options = {
  table: { type: 'string', multiple: true, default: [] as string[] },
  until: { type: 'string' },
  into: { type: 'string' },
  replace: { type: 'boolean', default: false },
  rows: { type: 'string' },
  timeout: { type: 'string', default: '600' },
  json: { type: 'boolean', default: false },
  ...archiveOptions,
  help: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parse>
const parse = (argv: string[]) => parseArgs({ args: argv, options }).values

/**
 * Returns 0 when the states are equal or the schema is made, 1 when they differ, and 2 when it could not be rebuilt.
 */
export async function main(argv: string[]): Promise<number> {
  try {
    const values = parse(argv)
    if (!values.help) return await rebuild(values)
    console.log(help)
    return 0
  } catch (error) {
    console.error(`could not rebuild: ${(error as Error).message}`)
    return 2
  }
}

async function rebuild(values: Values): Promise<number> {
  const { until, into, replace, table, json } = values
  const cut = until === undefined ? undefined : parseCut(until)
  if (cut === undefined && (into !== undefined || replace))
    throw new Error('--into and --replace can only be used with --until')
  const waitMs = Number(values.timeout) * 1_000
  if (!(waitMs > 0)) throw new Error(`--timeout ${values.timeout} is not a number of seconds`)
  const examples = Number(values.rows ?? (json ? 1_000 : 5))
  if (!Number.isInteger(examples) || examples < 0) throw new Error(`--rows ${values.rows} is not a number of rows`)
  if (cut?.kind === 'time' && cut.us > Date.now() * 1000) throw new UsageError(`--until ${until} is in the future`)
  const archive = await findArchive(values)
  if (table.length > 0) requireTables(table, await withClient(archive.target, readKnownTables))
  return untilInterrupted(async (signal) => {
    const progress = makeProgressLine()
    const common = { archive, tables: table, onProgress: progress.show, signal }
    return cut === undefined
      ? compare({ ...common, examples, waitMs }, json).finally(progress.clear)
      : publish({ ...common, cut, schema: into ?? schemaOf(cut), replace }, json).finally(progress.clear)
  })
}

async function compare(options: RebuildOptions & { examples: number; waitMs: number }, json: boolean): Promise<number> {
  const rebuilt = await rebuildAndCompare(options)
  const { tables, stoppedLive, onlyLive, onlyRebuilt } = rebuilt
  // A former name of a table is refused, because the table would count as one without differences.
  requireTables(options.tables, [
    ...[...tables.map(({ table }) => table), ...stoppedLive.map(({ name }) => name)],
    ...[...onlyLive, ...onlyRebuilt],
  ])
  console.log(json ? JSON.stringify(rebuilt, null, 2) : describeCompared(rebuilt, process.stdout.columns))
  return isEqualState(rebuilt) ? 0 : 1
}

async function publish(
  options: RebuildOptions & { cut: Cut; schema: string; replace: boolean },
  json: boolean,
): Promise<number> {
  const rebuilt = await rebuildAndPublish(options)
  console.log(json ? JSON.stringify(rebuilt, null, 2) : describePublished(rebuilt))
  return 0
}
