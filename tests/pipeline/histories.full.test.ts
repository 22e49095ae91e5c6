import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '#test-support/eventually.ts'
import { type History, histories } from '#test-support/histories/history.ts'
import { judgeHistory } from '#test-support/histories/history-verdict.ts'
import { declareIndexesMeanwhile } from '#test-support/histories/indexes-meanwhile.ts'
import { type Played, playHistory } from '#test-support/histories/run-history.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'

const count = Number(process.env['TIDEMARK_HISTORIES'] ?? 20)
const seed = Number(process.env['TIDEMARK_SEED'] ?? 77)
const steps = 60
const atOnce = 4
/** The time until everything of a history is visible, snapshots of whole tables included. */
const waitMs = 600_000

let pipeline: TestPipeline

beforeAll(async () => {
  pipeline = await startPipeline()
})
afterAll(async () => {
  await pipeline?.stop()
})

test(`${count} random histories of schema and data end equal in the target, which has the declared indexes (TIDEMARK_SEED=${seed})`, async () => {
  const waiting = fc.sample(histories(steps), { seed, numRuns: count }).map((history, number) => ({ history, number }))
  const played: Played[] = []
  const failures: string[] = []
  let indexes = 0
  const playAll = async () => {
    for (let next = waiting.shift(); next !== undefined && failures.length === 0; next = waiting.shift()) {
      const { history, number } = next
      const outcome = await play(history, `h${number}_`)
      played.push(outcome.played)
      indexes += outcome.declared
      if (outcome.problem !== undefined) failures.push(describeFailure(number, outcome))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, playAll))

  expect(failures.join('\n\n')).toBe('')
  expect(played).toHaveLength(count)
  // A history whose statements mostly fail would test nothing.
  const total = (of: (one: Played) => number) => played.reduce((sum, one) => sum + of(one), 0)
  expect(total(({ failed }) => failed)).toBeLessThan(total(({ succeeded }) => succeeded) / 4)
  expect(indexes).toBeGreaterThan(count)
  await until('the target to be left without tables', async () => (await tablesOf(pipeline.target)).length === 0)
})

type Outcome = { played: Played; declared: number; problem: string | undefined }

async function play(history: History, prefix: string): Promise<Outcome> {
  const { source, reader: target, target: administrated } = pipeline.engine.endpoints
  const user = declareIndexesMeanwhile(administrated, prefix)
  const played = await playHistory(source, prefix, history)
  const different = await judgeHistory({ source, target }, prefix, waitMs).catch((error: Error) => error.message)
  const { declared, missing } = await user.end()
  const problem = different ?? (missing.length === 0 ? undefined : missing.join('\n'))
  if (problem === undefined) await dropTables(prefix)
  return { played, declared, problem }
}

function describeFailure(number: number, { played, problem }: Outcome): string {
  return `history ${number} of TIDEMARK_SEED=${seed} TIDEMARK_HISTORIES=${count}

${played.script.join('\n')}

${problem}`
}

async function dropTables(prefix: string): Promise<void> {
  for (const table of await tablesOf(pipeline.source, prefix)) {
    await pipeline.source.query(`drop table if exists public.${pg.escapeIdentifier(table)} cascade`)
  }
}

async function tablesOf(database: pg.Pool, prefix = 'h'): Promise<string[]> {
  const { rows } = await database.query(
    `select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and starts_with(relname, $1) and relname ~ '^h[0-9]+_'`,
    [prefix],
  )
  return rows.map(({ name }) => name)
}
