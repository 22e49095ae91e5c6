import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { answerCalls } from './program-process.ts'

/** Changes of the rows of a table at a steady rate, until the process ends. */
export type SteadyLoad = {
  readonly sourceUrl: string
  /** A table of the workload `bench`. */
  readonly table: string
  /** Changes a second. */
  readonly perSecond: number
}

/** What the process of a load can be asked for. */
export type LoadCalls = {
  /** The changes that were committed so far. */
  committed(): Promise<number>
}

/** Updates go round these rows, so that the table does not grow. */
const ROWS = 1_000
const WRITERS = 4
/** From this rate on a transaction has several changes. */
const MANY_PER_SECOND = 100
const CHANGES_OF_MANY = 10

const insert = (table: string) => `insert into public.${table} (id, a, s, n, ts, j, b, u)
 select g, 1, md5(g::text), 12.25, now(), '{"k": 1, "v": "value"}', true, 'user ' || g from generate_series(1, ${ROWS}) g`

const update = (table: string) =>
  `update public.${table} set a = a + 1, s = md5(s), ts = now() where id between $1 and $2`

/** Starts to write. Returns what can be asked meanwhile, and what ends it. */
async function startLoad({
  sourceUrl,
  table,
  perSecond,
}: SteadyLoad): Promise<{ calls: LoadCalls; end(): Promise<void> }> {
  const each = perSecond < MANY_PER_SECOND ? 1 : CHANGES_OF_MANY
  const writers = Array.from({ length: WRITERS }, () => new pg.Client({ connectionString: sourceUrl }))
  for (const writer of writers) {
    // A server that stops ends idle connections.
    writer.on('error', () => undefined)
    await writer.connect()
  }
  await writers[0]!.query(insert(table))
  const startsAt = performance.now()
  let [isWriting, next, committed] = [true, 0, ROWS]
  const write = async (writer: pg.Client) => {
    while (isWriting) {
      const commit = next++
      const waitMs = startsAt + (commit * each * 1_000) / perSecond - performance.now()
      if (waitMs > 0) await pause(waitMs)
      const first = ((commit * each) % ROWS) + 1
      await writer.query({ name: 'update', text: update(table), values: [first, first + each - 1] })
      committed += each
    }
  }
  const writing = Promise.all(writers.map(write))
  writing.catch((error: Error) => {
    console.error(error.message)
    process.exit(1)
  })
  return {
    calls: { committed: async () => committed },
    async end() {
      isWriting = false
      await writing
      for (const writer of writers) await writer.end()
    },
  }
}

// This runs in a process of its own, so that its processor time is not mixed with that of what it measures.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { calls, end } = await startLoad(JSON.parse(process.argv[2]!) as SteadyLoad)
  answerCalls(calls, end)
}
