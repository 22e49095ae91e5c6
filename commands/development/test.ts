import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { main as check } from './check.ts'

const help = `npm test [-- [--full] [<part of a file's path> …]]

Without --full: types, lint and format, then the unit, integration and end-to-end tests.
With --full: the long runs (npm run test:full).
The last line is "<n> passed, <n> failed, <n> skipped"; the exit code is 0 only if nothing failed.`

const repository = join(import.meta.dirname, '../..')

/** The numbers of passed, failed and skipped tests. */
export type Tally = { passed: number; failed: number; skipped: number }

/** The part of Vitest's JSON report that is counted. */
export type Report = { testResults: { status: string; assertionResults: { status: string }[] }[] }

/** Runs the tests. Returns 0 only if nothing failed. */
export async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    options: { full: { type: 'boolean' }, help: { type: 'boolean' } },
    allowPositionals: true,
  })
  if (values.help) {
    console.log(help)
    return 0
  }
  const failedChecks = values.full || positionals.length > 0 ? 0 : await check([])
  const tests = await runTests(values.full ? ['full', 'source-*', 'target-*'] : ['unit', 'int', 'e2e'], positionals)
  console.log(`${tests.passed} passed, ${tests.failed + failedChecks} failed, ${tests.skipped} skipped`)
  return tests.failed + failedChecks === 0 ? 0 : 1
}

async function runTests(projects: string[], filters: string[]): Promise<Tally> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-test-report-'))
  const file = join(directory, 'report.json')
  try {
    const vitest = join(repository, 'node_modules', 'vitest', 'vitest.mjs')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const chosen = projects.map((project) => `--project=${project}`)
    const child = spawn(process.execPath, [vitest, 'run', ...chosen, ...reporters, ...filters], {
      cwd: repository,
      stdio: 'inherit',
    })
    const [code] = await once(child, 'close')
    const tally = count(JSON.parse(await readFile(file, 'utf8')))
    // A failure outside of any test, such as an unhandled rejection, is only in the exit code.
    return code !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Counts the tests in a report. A file that could not be loaded counts as one failed test. */
export function count({ testResults }: Report): Tally {
  const statuses = testResults.flatMap(({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((each) => each.status === 'failed')
      ? [...assertionResults.map((each) => each.status), 'failed']
      : assertionResults.map((each) => each.status),
  )
  const passed = statuses.filter((status) => status === 'passed').length
  const failed = statuses.filter((status) => status === 'failed').length
  return { passed, failed, skipped: statuses.length - passed - failed }
}
