import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { describeInspection } from '#preflight/inspection-report.ts'
import { inspectSource } from '#preflight/source-inspection.ts'

const help = `TIDEMARK_SOURCE_URL=<source url> npm run preflight [-- --schema NAME]... [--json]
npm run preflight -- <source url> | - [--schema NAME]... [--json]

Checks whether a Postgres database can be the source: its settings, the rights of the URL's user, who must be the one that
installs, and each table. It prints what has to be changed, with the SQL, and changes nothing.
  -          reads the URL from standard input. Every user who lists the processes of this machine sees the arguments, so
             give a URL with a password there or in TIDEMARK_SOURCE_URL
  --schema   a schema that is to be captured; repeat it for several (public)
  --json     prints the result as JSON
Exits with 0 when the source is ready, with 1 when it is not, and with 2 when it could not be checked. A table that cannot
be captured is listed, and the other tables can still be captured.`

const options = {
  schema: { type: 'string', multiple: true, default: ['public'] as string[] },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** Returns 0 when the source is ready, 1 when it is not, and 2 when that could not be checked. */
export async function main(argv: string[], input: Readable = process.stdin): Promise<number> {
  try {
    return await preflight(argv, input)
  } catch (error) {
    console.error((error as Error).message)
    return 2
  }
}

async function preflight(argv: string[], input: Readable): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
  if (values.help) {
    console.log(help)
    return 0
  }
  const url = await readUrl(positionals, input)
  const client = await connect(url)
  try {
    const inspection = await inspectSource(client, values.schema)
    console.log(values.json ? JSON.stringify(inspection, null, 2) : describeInspection(inspection))
    return inspection.ready ? 0 : 1
  } finally {
    await client.end()
  }
}

/** The URL in the arguments, or else in the environment. For `-` it is read from `input`. */
async function readUrl([first, ...more]: string[], input: Readable): Promise<string> {
  const url = first === '-' ? (await text(input)).trim() : (first ?? process.env['TIDEMARK_SOURCE_URL'] ?? '')
  if (more.length > 0 || !/^postgres(ql)?:\/\//.test(url)) {
    throw new Error(
      'give the URL of one source, postgres://user:password@host:5432/database, in TIDEMARK_SOURCE_URL, or on standard input with npm run preflight -- -',
    )
  }
  return url
}

async function connect(url: string): Promise<pg.Client> {
  const client = clientOfUrl(url, 'tidemark-preflight', { connectionTimeoutMillis: 10_000 })
  try {
    await client.connect()
    return client
  } catch (cause) {
    const { host, port, database } = client
    throw new Error(
      `cannot connect to ${database} at ${host}:${port}: ${(cause as Error).message}. Check the URL, the password and that the server lets this machine in.`,
      { cause },
    )
  }
}
