import { parseArgs } from 'node:util'
import type pg from 'pg'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { messageWithHint } from '#terminal/error-message.ts'
import { requireTables } from '#terminal/table-names.ts'
import { exitCodeOf, UsageError } from '#terminal/usage-error.ts'
import { readKnownTables } from './arguments/known-tables.ts'
import { describeChanges, listAsJson, listChanges } from './history/change-listing.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run history -- <schema.table> ['<key>'] [--limit N] [--json]
npm run history -- <schema.table> --on | --off [--retention 90d]

Shows the changes of a row, newest first: when, what, who and why. Without a key it shows those of the whole table.
  <key>         a JSON object of the key's columns; for a keyless table, of any columns
  --limit       the greatest number of changes to show (20)
  --json        one line of JSON per change, with the rows before and after
  --off, --on   turns the history of the table off or on, from now on; '*' stands for every table
  --retention   how long changes are kept: 12h, 90d, 1y, infinity (30 days for every table unless changed)
  --target      another database than that of the running stack
Exits with 0 when the history was shown or set, with 1 when not, and with 2 when an argument is wrong.

  npm run history -- public.orders '{"id":7}'`

const options = {
  limit: { type: 'string', default: '20' },
  json: { type: 'boolean', default: false },
  on: { type: 'boolean', default: false },
  off: { type: 'boolean', default: false },
  retention: { type: 'string' },
  target: { type: 'string' },
  help: { type: 'boolean' },
} as const

type Values = ReturnType<typeof parse>['values']
const parse = (argv: string[]) => parseArgs({ args: argv, options, allowPositionals: true })

/** Returns 0 when the history was shown or set, 1 when it could not be, and 2 when an argument is wrong. */
export async function main(argv: string[]): Promise<number> {
  try {
    return await history(argv)
  } catch (error) {
    console.error(messageWithHint(error))
    return exitCodeOf(error)
  }
}

async function history(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv)
  const [table, key, ...rest] = positionals
  if (values.help) {
    console.log(help)
    return 0
  }
  if (table === undefined) throw new UsageError(`Which table? ${help}`)
  if (rest.length > 0)
    throw new UsageError(`The key must be one argument: put it in quotes. Left over: ${rest.join(' ')}`)
  const isSetting = values.on || values.off || values.retention !== undefined
  const client = clientOfUrl(values.target ?? (await defaultTarget(isSetting)), 'tidemark-history')
  await client.connect()
  try {
    if (table !== '*' && !isSetting) requireTables([table], await readKnownTables(client))
    await (isSetting ? set(client, table, values) : show(client, table, key ?? null, values))
    return 0
  } finally {
    await client.end()
  }
}

/** Settings need the administrator; reading does not. */
async function defaultTarget(isSetting: boolean): Promise<string> {
  const { endpoints } = await requireEngine()
  return isSetting ? endpoints.target : endpoints.reader
}

async function set(client: pg.Client, table: string, { on, off, retention }: Values): Promise<void> {
  if (on && off) throw new UsageError('Give --on or --off, not both')
  await client.query('select tidemark.set_history($1, $2, $3::interval)', [table, !off, retention ?? null])
  const which = table === '*' ? 'every table' : table
  const stay = retention === undefined ? '' : `, and stay for ${retention}`
  console.log(off ? `Changes of ${which} are no longer kept.` : `Changes of ${which} are kept${stay}.`)
}

async function show(client: pg.Client, table: string, key: string | null, values: Values): Promise<void> {
  const limit = Number(values.limit)
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError(`--limit ${values.limit} is not a number of changes`)
  if (key !== null && !isObject(key)) throw new UsageError(`The key ${key} is not a JSON object such as '{"id":7}'`)
  if (values.json) {
    for (const line of await listAsJson(client, table, key, limit)) console.log(line)
    return
  }
  const width = process.stdout.columns ?? Number.POSITIVE_INFINITY
  const changes = await listChanges(client, table, key, limit)
  for (const line of describeChanges(changes, { withKey: key === null, width })) console.log(line)
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
