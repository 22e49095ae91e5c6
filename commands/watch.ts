import { parseArgs } from 'node:util'
import { findEngine, type RunningEngine } from '#localstack/engine.ts'
import { readSettings, type Settings } from '#localstack/settings.ts'
import { formatQuantity } from '#terminal/quantities.ts'
import { styleOf } from '#terminal/style.ts'
import { makeChangeLines } from '#watch/change-line.ts'
import { requireTopics } from '#watch/follow-topics.ts'
import { type Beginning, findBeginning } from '#watch/stored-positions.ts'
import { noTarget, openTarget } from '#watch/target-knowledge.ts'
import type { Brokers } from '#watch/topic-records.ts'
import { type Watch, watchTopics } from '#watch/watch-topics.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run watch [-- --table public.orders] [--topic changes] [--from-start] [--json]

Shows changes as they come: when, which table, what, and for an update each changed column before and after. It goes on
where the last watch stopped; the first watch begins with the changes from now on. Ctrl-C ends it.
  --table        only the changes of this table; those of other tables are shown by the next watch without --table
  --topic        changes (what was captured) or user-events (plain events); both by default
  --from-start   everything that the topics have
  --json         one line of JSON per change: topic, topicPartition, offset, at, table, op, key, before, after, changed
  --brokers      other brokers than those of the running stack, host:port,… in plain text (TIDEMARK_KAFKA_BOOTSTRAP)
Without a target, the row before an update is known only if watch has seen it or the source sends it.`

const options = {
  table: { type: 'string' },
  topic: { type: 'string', multiple: true },
  'from-start': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  brokers: { type: 'string' },
  help: { type: 'boolean' },
} as const

/** Returns 0 when Ctrl-C ended it. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options })
  if (values.help) {
    console.log(help)
    return 0
  }
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupt.abort())
  const settings = readSettings(process.env)
  const engine = values.brokers === undefined ? await requireBrokers(settings) : undefined
  const brokers = brokersOf(engine, values.brokers ?? settings.kafkaBootstrap)
  const states = await requireTopics(brokers, values.topic)
  const beginning = await findBeginning(settings.directory, states, values['from-start'], values.table)
  const target = engine === undefined ? noTarget : await openTarget(engine.endpoints.reader)
  const line = values.json
    ? JSON.stringify
    : makeChangeLines(styleOf(process.stdout), process.stdout.columns ?? Infinity)
  const watch: Watch = {
    ...{ brokers, states, target, positions: beginning.positions, directory: settings.directory },
    ...{ table: values.table, signal: interrupt.signal },
    print: (change) => console.log(line(change)),
    report: (what) => console.error(what),
  }
  watch.report(whereFrom(beginning, [...states.keys()]))
  try {
    await watchTopics(watch)
  } finally {
    await target.close()
  }
  watch.report(whereStopped(beginning.positions))
  return 0
}

/** The running stack. It may be missing if the brokers are named. */
const requireBrokers = (settings: Settings): Promise<RunningEngine | undefined> =>
  settings.kafkaBootstrap === undefined ? requireEngine() : findEngine(settings)

function brokersOf(engine: RunningEngine | undefined, named: string | undefined): Brokers {
  if (engine === undefined) return { bootstrapServers: named!, access: {} }
  return { bootstrapServers: engine.endpoints.kafka, access: engine.endpoints.kafkaAccess ?? {} }
}

function whereFrom({ from, behind, gone }: Beginning, topics: string[]): string {
  const lost =
    gone === 0 ? '' : `; ${formatQuantity(gone, 'record')} that it did not show ${gone === 1 ? 'is' : 'are'} gone`
  const what = from === 'the end' ? 'what comes from now on (--from-start shows what was before)' : `from ${from}`
  const waiting = behind === 0 ? '' : `, ${formatQuantity(behind, 'record')} to go`
  return `Watching ${topics.join(' and ')}, ${what}${waiting}${lost}. Ctrl-C ends it.`
}

function whereStopped(positions: ReadonlyMap<string, readonly number[]>): string {
  const places = [...positions].map(
    ([topic, offsets]) => `${topic} ${offsets.map((offset, i) => `${i}:${offset}`).join(' ')}`,
  )
  return `Stopped before ${places.join(', ')} (topic partition:offset). The next npm run watch goes on there.`
}
