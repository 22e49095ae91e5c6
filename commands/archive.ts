import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import {
  type ArchiveCheck,
  describeCheck,
  isWhole,
  type RecoveryReport,
} from '#lambdas/commit-archive/recovery/recover-archive.ts'
import { attachArchive, openChdb } from '#localstack/archive-readers/chdb.ts'
import { withClient } from '#rebuild/scratch-database.ts'
import { untilInterrupted } from '#terminal/interruption.ts'
import { makeProgressLine } from '#terminal/progress-line.ts'
import { exitCodeOf, UsageError } from '#terminal/usage-error.ts'
import { archiveOptions, archiveOptionsHelp, findArchive } from './archive/archive-options.ts'
import { checkFound, recoverFound } from './archive/archive-recovery.ts'
import { describeArchiveStatus, readArchiveStatus } from './archive/archive-status.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run archive [-- status] [--json]
npm run archive -- sql "select table_name, op, count(*) from archive group by all" [--json]
npm run archive -- check [--json]
npm run archive -- recover [--dry-run] [--yes] [--json]

status    shows rows, data files, bytes, commits, what waits to be committed, and how far each topic partition is
sql       runs a query on the archive table of the running stack, which is called archive. It uses ClickHouse, which it
          first installs into .tidemark/readers (550 MB)
check     checks that each committed record is in the table exactly once and that no data file is missing, and names the
          records and files for which this does not hold
recover   makes table, ledger and data files consistent again when the table was renamed or dropped, the table or the
          target was restored, data files are gone, or a topic was deleted and created again. It says what happened and
          what it will do, asks before each step, and ends with the check. It can be interrupted and run again, and
          never drops a table
  --dry-run   of recover: says what it would do first, and does nothing
  --yes       of recover: does not ask
  --json      of status, check and recover: prints one JSON object; of sql: a line of JSON for each row
${archiveOptionsHelp};
              not for sql: docs/archive.md says how deployed stages are queried

Exits with 0 when the status or rows were shown, or the archive is complete or recovered; with 1 when not; with 2 when an
argument is wrong.
docs/archive.md has the columns and queries for a row's history and the state at a time.`

const options = {
  json: { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
  yes: { type: 'boolean', default: false },
  ...archiveOptions,
  help: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parse>['values']
const parse = (argv: string[]) => parseArgs({ args: argv, options, allowPositionals: true })

/** Returns 0 when the archive was shown, is whole or is recovered, 1 when not, and 2 when an argument is wrong. */
export async function main(argv: string[]): Promise<number> {
  try {
    const { values, positionals } = parse(argv)
    const [what = 'status', ...rest] = positionals
    if (values.help) console.log(help)
    else if (what === 'status' && rest.length === 0) await showStatus(values)
    else if (what === 'sql' && rest.length === 1) await runQuery(rest[0]!, values)
    else if (what === 'check' && rest.length === 0) return await check(values)
    else if (what === 'recover' && rest.length === 0) return await recover(values)
    else throw new UsageError(`say status, check, recover, or sql and one query in quotes\n\n${help}`)
    return 0
  } catch (error) {
    console.error((error as Error).message)
    return exitCodeOf(error)
  }
}

async function showStatus(values: Values): Promise<void> {
  const archive = await findArchive(values)
  const status = await withClient(archive.target, (client) => readArchiveStatus(client, archive))
  console.log(values.json ? JSON.stringify(status, null, 2) : describeArchiveStatus(status))
}

async function check(values: Values): Promise<number> {
  const archive = await findArchive(values)
  const progress = makeProgressLine()
  const found = await untilInterrupted((signal) =>
    checkFound(archive, { signal, onProgress: progress.show }).finally(progress.clear),
  )
  if (values.json) console.log(JSON.stringify(found, null, 2))
  else console.log(found === null ? 'nothing was archived yet' : describeCheck(found).join('\n'))
  return found === null || isWhole(found) ? 0 : 1
}

async function recover(values: Values): Promise<number> {
  const { 'dry-run': isDry, yes, json } = values
  const archive = await findArchive(values)
  const progress = makeProgressLine()
  const agree = async ({ happened, does }: { happened: string; does: string }) => {
    progress.clear()
    if (!json) console.log(`What happened: ${happened}.\nWhat this does: ${does}.`)
    if (isDry || yes) return !isDry
    if (!process.stdin.isTTY || json)
      throw new Error('nothing was done, because nobody can confirm it here: give --yes to do it without a question')
    return askYes('Do it? (yes/no) ')
  }
  const report = await untilInterrupted((signal) =>
    recoverFound(archive, { signal, onProgress: progress.show }, agree).finally(progress.clear),
  )
  if (json) console.log(JSON.stringify(report, null, 2))
  else console.log(describeReport(report, isDry))
  const isFine = report.done && (report.check === null || isSound(report.check))
  return isFine || isDry ? 0 : 1
}

/**
 * Missing records do not count here: what recovery had to give up is reported, and the archive is recovered
 * nevertheless.
 */
const isSound = (found: ArchiveCheck): boolean => found.gone.length === 0 && found.twice.length === 0

function describeReport({ done, steps, check: found, next }: RecoveryReport, isDry: boolean): string {
  if (!done) return isDry ? 'Nothing was done.' : 'Nothing more was done.'
  const lines = found === null ? [] : describeCheck(found)
  if (steps.length === 0)
    return ['The table, its ledger and its data files are consistent.', ...lines, ...goingOn(next)].join('\n')
  return [
    ...lines,
    ...(found === null || found.missing.length === 0
      ? []
      : ['Records that the table no longer has are noted as lost. Nothing before them can be rebuilt.']),
    ...(next === undefined ? ['The archive is recovered: waiting records are archived by themselves.'] : goingOn(next)),
  ].join('\n')
}

const goingOn = (next: string | undefined): string[] => (next === undefined ? [] : [next])

async function askYes(question: string): Promise<boolean> {
  const line = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return /^y(es)?$/i.test((await line.question(question)).trim())
  } finally {
    line.close()
  }
}

async function runQuery(sql: string, values: Values): Promise<void> {
  const { endpoints, outputs } = await requireEngine()
  const { ArchiveNamespace: namespace, ArchiveWarehouse: warehouse } = outputs
  if (namespace === undefined || warehouse === undefined) throw new Error('the running stack has no archive')
  const progress = makeProgressLine()
  const chdb = await openChdb({ onProgress: progress.show }).finally(progress.clear)
  try {
    const { catalog: catalogEndpoint, objectStore: s3Endpoint, key } = endpoints
    await attachArchive(chdb, { catalogEndpoint, s3Endpoint, warehouse, namespace, key })
    // The catalog in ClickHouse is called archive as well. The view makes this name mean the table in queries.
    await chdb.query('create or replace view archive as select * from changes')
    process.stdout.write(await chdb.query(sql, values.json ? 'JSONEachRow' : 'PrettyCompactMonoBlock'))
  } finally {
    chdb.close()
  }
}
