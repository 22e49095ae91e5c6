import { parseArgs } from 'node:util'
import { attachArchive, openChdb } from '#localstack/archive-readers/chdb.ts'
import { archiveOptions, archiveOptionsHelp, findArchive } from './archive/archive-access.ts'
import { describeArchiveStatus, readArchiveStatus } from './archive/archive-status.ts'
import { exitCodeOf, UsageError } from './arguments/usage-error.ts'
import { withClient } from './rebuild/scratch-database.ts'
import { requireEngine } from './running/running-engine.ts'
import { makeProgressLine } from './terminal/progress-line.ts'

const help = `npm run archive [-- status] [--json]
npm run archive -- sql "select table_name, op, count(*) from archive group by all" [--json]

Shows what the archive holds: rows, data files, bytes, commits, what waits to be committed, and how far each topic
partition is. With sql it runs a query on the archive table of the running stack, called archive, with ClickHouse, which
it installs into .tidemark/readers first (550 MB).
  --json      of status: one object; of sql: a line of JSON for each row
${archiveOptionsHelp};
              only for status: docs/archive.md says how deployed stages are queried

docs/archive.md has the columns and queries for a row's history and the state at a time.`

const options = {
  json: { type: 'boolean', default: false },
  ...archiveOptions,
  help: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parse>['values']
const parse = (argv: string[]) => parseArgs({ args: argv, options, allowPositionals: true })

/** 0 when it was shown, 1 when not, 2 when an argument is wrong. */
export async function main(argv: string[]): Promise<number> {
  try {
    const { values, positionals } = parse(argv)
    const [what = 'status', ...rest] = positionals
    if (values.help) console.log(help)
    else if (what === 'status' && rest.length === 0) await showStatus(values)
    else if (what === 'sql' && rest.length === 1) await runQuery(rest[0]!, values)
    else throw new UsageError(`say status, or sql and one query in quotes\n\n${help}`)
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

async function runQuery(sql: string, values: Values): Promise<void> {
  const { endpoints, outputs } = await requireEngine()
  const { ArchiveNamespace: namespace, ArchiveWarehouse: warehouse } = outputs
  if (namespace === undefined || warehouse === undefined) throw new Error('the running stack has no archive')
  const progress = makeProgressLine()
  const chdb = await openChdb({ onProgress: progress.tell }).finally(progress.clear)
  try {
    const { catalog: catalogEndpoint, objectStore: s3Endpoint, key } = endpoints
    await attachArchive(chdb, { catalogEndpoint, s3Endpoint, warehouse, namespace, key })
    // The catalog's name there is archive too; a view of that name is what a query means by it.
    await chdb.query('create or replace view archive as select * from changes')
    process.stdout.write(await chdb.query(sql, values.json ? 'JSONEachRow' : 'PrettyCompactMonoBlock'))
  } finally {
    chdb.close()
  }
}
