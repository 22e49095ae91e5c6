import { parseArgs } from 'node:util'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { feedTrips, loadTrips, prepareTaxiTables } from '#feed/taxi-feed.ts'
import { makeProgressLine } from '#terminal/progress-line.ts'
import { formatCount, formatDuration, formatQuantity } from '#terminal/quantities.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run feed [-- --rows N] [--rate R] [--source URL]

Inserts green taxi trips of December 2023 into public.green_trips of the source. It first creates this table and
public.taxi_zones.
  --rows     trips to insert; after the last trip of the file the first one follows again (64215, the whole file)
  --rate     trips a second; 0 for as fast as possible (0). Up to a rate of 100, each trip is its own transaction
  --source   another database than that of the running stack
Ctrl-C ends it after the current transaction.`

const options = {
  rows: { type: 'string', default: '64215' },
  rate: { type: 'string', default: '0' },
  source: { type: 'string' },
  help: { type: 'boolean' },
} as const

/** Returns 0 when all trips are in the source, and 130 when Ctrl-C ended it. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options })
  if (values.help) {
    console.log(help)
    return 0
  }
  const rows = wholeNumber('--rows', values.rows)
  const perSecond = wholeNumber('--rate', values.rate) || Infinity
  const client = clientOfUrl(values.source ?? (await requireEngine()).endpoints.source, 'tidemark-feed')
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupt.abort())
  const progress = makeProgressLine()
  await client.connect()
  try {
    await prepareTaxiTables(client)
    const trips = await loadTrips()
    const start = performance.now()
    const onProgress = (fed: number) => progress.show(`${formatCount(fed)} of ${formatQuantity(rows, 'trip')}`)
    const fed = await feedTrips(client, { trips, rows, perSecond, signal: interrupt.signal, onProgress })
    progress.clear()
    const ms = performance.now() - start
    console.log(`${formatQuantity(fed, 'trip')} in ${formatDuration(ms)}, ${formatCount((fed * 1_000) / ms)} a second`)
    return fed === rows ? 0 : 130
  } finally {
    await client.end()
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new UsageError(`${name} ${text} is not a whole number from 0`)
}
