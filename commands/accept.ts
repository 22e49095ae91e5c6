import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { messageWithHint } from '#terminal/error-message.ts'
import { requireTables } from '#terminal/table-names.ts'
import { exitCodeOf, UsageError } from '#terminal/usage-error.ts'
import { readKnownTables } from './arguments/known-tables.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run accept -- <schema.table> [--wait SECONDS] [--json]

Applies the quarantined changes of a stopped table in order, and then the later ones. If something in the target stopped
the table, remove the cause first; otherwise the table stops again for the same reason. If rows of the table are wrong or
missing, run npm run resync instead.
  --wait     how long to wait until changes of the table are applied again (60)
  --json     the outcome as one line of JSON
  --target   another database than that of the running stack
Exits with 0 when changes of the table are applied again, with 1 when not, and with 2 when an argument is wrong.`

const options = {
  wait: { type: 'string', default: '60' },
  json: { type: 'boolean', default: false },
  target: { type: 'string' },
  help: { type: 'boolean' },
} as const

/**
 * Returns 0 when changes of the table are applied again, 1 when not, and 2 when an argument is wrong.
 */
export async function main(argv: string[]): Promise<number> {
  try {
    return await accept(argv)
  } catch (error) {
    console.error(messageWithHint(error))
    return exitCodeOf(error)
  }
}

async function accept(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
  const [table, ...rest] = positionals
  if (values.help) {
    console.log(help)
    return 0
  }
  if (table === undefined) throw new UsageError(`Which table? ${help}`)
  if (rest.length > 0) throw new UsageError(`One table at a time. Left over: ${rest.join(' ')}`)
  const seconds = Number(values.wait)
  if (!(seconds >= 0)) throw new UsageError(`--wait ${values.wait} is not a number of seconds`)
  const client = clientOfUrl(values.target ?? (await requireEngine()).endpoints.target, 'tidemark-accept')
  await client.connect()
  try {
    requireTables([table], await readKnownTables(client))
    const { rows } = await client.query<{ said: string }>('select tidemark.accept($1) as said', [table])
    if (!values.json) console.log(rows[0]!.said)
    const outcome = await awaitFlow(client, table, Date.now() + seconds * 1000)
    console.log(values.json ? JSON.stringify({ table, ...outcome }) : inWords(table, outcome))
    return outcome.flows ? 0 : 1
  } finally {
    await client.end()
  }
}

type Outcome = { readonly flows: boolean; readonly reason: string | null }

/**
 * Waits until the table is no longer stopped. The next beacon of each topic partition makes the function apply the
 * quarantined records; if one fails again, the table is no longer accepted.
 */
async function awaitFlow(client: pg.Client, table: string, deadline: number): Promise<Outcome> {
  for (;;) {
    const { rows } = await client.query<{ accepted: boolean; reason: string }>(
      `select accepted_at is not null as accepted, reason
       from tidemark.stopped_table
       where schema_name || '.' || table_name = $1`,
      [table],
    )
    const stopped = rows[0]
    if (stopped === undefined) return { flows: true, reason: null }
    if (!stopped.accepted) return { flows: false, reason: stopped.reason }
    if (Date.now() > deadline) return { flows: false, reason: 'its changes are not all applied yet' }
    await pause(100)
  }
}

const inWords = (table: string, { flows, reason }: Outcome): string =>
  flows ? `Changes of ${table} are applied again.` : `Changes of ${table} are not applied: ${reason}.`
