import { parseArgs } from 'node:util'
import { findEngine } from '#localstack/engine.ts'
import { readSettings } from '#localstack/settings.ts'
import { makeProgressLine } from '#terminal/progress-line.ts'
import { callFunction } from './invoke/function-call.ts'
import { beginResync, openSource, type ResyncedTable, waitUntilCaptured } from './resync/resynced-tables.ts'
import { requireEngine } from './running/running-engine.ts'
import { whyCaptureIsDown } from './running/running-status.ts'

const help = `npm run resync -- <schema.table>... [--wait] [--timeout seconds] [--json]

Reads captured tables again from the source, each as a new generation of its rows, while changes go on flowing. The
target shows the present rows until the new generation is complete, and then the new rows. Quarantined records of a stopped
table are deleted. For a partitioned table, each of its leaves is read again. The source is the database of
TIDEMARK_SOURCE_URL if that is set, otherwise the source of the running stack.
  --wait      waits until the tables are captured again
  --timeout   the number of seconds to wait (600); the snapshot goes on afterwards
  --json      prints tables, generations and states as JSON
Exits with 0 when the resync of all tables has begun (with --wait: has ended), with 1 when not, and with 2 when a table does
not exist, the source is out of reach or nothing is captured. The message has similar names, or the cause and the command.`

const options = {
  wait: { type: 'boolean', default: false },
  timeout: { type: 'string', default: '600' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean' },
} as const

/**
 * Returns 0 when a resync of every table has begun, or with `--wait` has ended; 1 when not; 2 when a resync could not be
 * begun, when there is no such table, or when capture is down.
 */
export async function main(argv: string[]): Promise<number> {
  try {
    return await resync(argv)
  } catch (error) {
    console.error(`could not resync: ${(error as Error).message}`)
    return 2
  }
}

async function resync(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
  if (values.help) {
    console.log(help)
    return 0
  }
  if (positionals.length === 0) throw new Error('say which table, e.g. npm run resync -- public.orders')
  const waitMs = Number(values.timeout) * 1_000
  if (!(waitMs > 0)) throw new Error(`--timeout ${values.timeout} is not a number of seconds`)
  const { url, startCapture, whyInVain } = await findSource()
  const down = await whyInVain()
  if (down !== undefined) throw new Error(down)
  const source = await openSource(url)
  try {
    const { begun, refused, absent } = await beginResync(source, positionals)
    for (const { table, why } of refused) console.error(`${table}: ${why}`)
    if (begun.length > 0) await startCapture()
    const progress = makeProgressLine()
    const tables = values.wait
      ? await waitUntilCaptured(source, begun, { waitMs, whyInVain, onProgress: progress.show }).finally(progress.clear)
      : begun
    console.log(values.json ? JSON.stringify({ tables, refused }, null, 2) : tables.map(describe).join('\n'))
    const reached = ({ state }: ResyncedTable) => !values.wait || state === 'captured'
    if (absent.length > 0) return 2
    return refused.length === 0 && tables.every(reached) ? 0 : 1
  } finally {
    await source.end()
  }
}

type FoundSource = {
  url: string
  /** Calls the function, which would otherwise run within a minute. */
  startCapture: () => Promise<unknown>
  /** Returns the reason if the rows cannot arrive, because capture is down. */
  whyInVain: () => Promise<string | undefined>
}

async function findSource(): Promise<FoundSource> {
  const settings = readSettings(process.env)
  const { sourceUrl } = settings
  if (sourceUrl !== undefined) {
    const whyInVain = async () => whyCaptureIsDown(await findEngine(settings))
    return { url: sourceUrl, startCapture: async () => undefined, whyInVain }
  }
  const engine = await requireEngine()
  const call = { name: 'capture-tables', event: '{}', async: true }
  return {
    url: engine.endpoints.source,
    startCapture: () => callFunction(engine.endpoints.endpoint, call),
    whyInVain: () => whyCaptureIsDown(engine),
  }
}

function describe({ name, generation, state, why }: ResyncedTable): string {
  if (state === 'captured')
    return `${name}: generation ${generation} is read; the target switches to it once it is applied`
  return `${name}: generation ${generation} has begun${why === null ? '' : `, ${why}`}`
}
