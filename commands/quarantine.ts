import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { topicPartitionsToRetry } from '#adapters/postgres/delivery/quarantine.ts'
import { messageWithHint } from '#terminal/error-message.ts'
import { exitCodeOf } from '#terminal/usage-error.ts'
import { callFunction } from './invoke/function-call.ts'
import { describeQuarantine, describeRecord } from './quarantine/quarantine-listing.ts'
import { groupQuarantined, listQuarantined, readQuarantined } from './quarantine/quarantined-records.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run quarantine -- list [<which>] [--limit N]
npm run quarantine -- show <place>
npm run quarantine -- retry <which>
npm run quarantine -- discard <which>

Records that could not be applied are in quarantine, each with the reason, and everything else is still applied.
  list       the records and the reasons
  show       one record with its key, headers and value
  retry      applies it again: user events one by one; of a stopped table all changes in order, as "npm run accept" does
  discard    deletes it. Changes of a captured table cannot be deleted: "npm run resync" reads its rows again instead
  <which>    a place such as changes-2@17, a table such as public.orders, or all
  --limit    the greatest number of records to list (20)
  --json     one line of JSON for each record, or the outcome as one line
  --target   another database than that of the running stack`

const options = {
  limit: { type: 'string', default: '20' },
  json: { type: 'boolean', default: false },
  target: { type: 'string' },
  help: { type: 'boolean' },
} as const

type Values = { readonly limit: string; readonly json: boolean }

/** Returns 0 when it was shown or done, 1 when it could not be, and 2 when an argument is wrong. */
export async function main(argv: string[]): Promise<number> {
  try {
    return await quarantine(argv)
  } catch (error) {
    console.error(messageWithHint(error))
    return exitCodeOf(error)
  }
}

async function quarantine(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
  const [verb, which, ...rest] = positionals
  if (values.help) {
    console.log(help)
    return 0
  }
  const problem = problemOf(verb, which, rest, values)
  if (problem !== undefined) {
    console.error(`${problem}\n\n${help}`)
    return 2
  }
  const endpoints = values.target === undefined ? (await requireEngine()).endpoints : undefined
  const client = new pg.Client({ connectionString: values.target ?? endpoints?.target })
  await client.connect()
  try {
    if (verb === 'list') return await list(client, which ?? 'all', values)
    if (verb === 'show') return await show(client, which!, values)
    if (verb === 'discard') return await discard(client, which!, values)
    return await retry(client, which!, values, endpoints?.endpoint)
  } finally {
    await client.end()
  }
}

function problemOf(verb: string | undefined, which: string | undefined, rest: string[], { limit }: Values) {
  if (!['list', 'show', 'retry', 'discard'].includes(verb ?? '')) return `Say what to do: list, show, retry or discard.`
  if (rest.length > 0) return `One word says which records. Left over: ${rest.join(' ')}.`
  if (which === undefined && verb !== 'list') return `Which records? Give a place, a table, or all.`
  if (verb === 'show' && !/^.+-\d+@\d+$/.test(which!)) return `${which} is not a place such as changes-2@17.`
  if (!/^[1-9]\d*$/.test(limit)) return `--limit ${limit} is not a number of records.`
  return undefined
}

async function list(client: pg.Client, which: string, { limit, json }: Values): Promise<number> {
  const records = await listQuarantined(client, which, Number(limit))
  if (json) for (const record of records) console.log(JSON.stringify(record))
  else if (which !== 'all' && records.length === 0) console.log(`No record in quarantine matches ${which}.`)
  else {
    const width = process.stdout.columns ?? Number.POSITIVE_INFINITY
    for (const line of describeQuarantine(await groupQuarantined(client), records, width)) console.log(line)
  }
  return 0
}

async function show(client: pg.Client, place: string, { json }: Values): Promise<number> {
  const record = await readQuarantined(client, place)
  if (record === undefined)
    throw new Error(`No quarantined record is at ${place}: npm run quarantine -- list shows the places`)
  console.log(json ? JSON.stringify(record) : describeRecord(record).join('\n'))
  return 0
}

async function discard(client: pg.Client, which: string, { json }: Values): Promise<number> {
  const { rows } = await client.query<{ discarded: number }>('select tidemark.discard($1)::int as discarded', [which])
  const [{ discarded }] = rows as [{ discarded: number }]
  console.log(json ? JSON.stringify({ discarded }) : `Discarded: ${discarded}.`)
  return 0
}

/** The time limit for applying records again. */
const patienceMs = 90_000

/**
 * An event without records makes the function apply the waiting records. Without a stack, its schedule does so within a
 * minute.
 */
async function retry(
  client: pg.Client,
  which: string,
  { json }: Values,
  endpoint: string | undefined,
): Promise<number> {
  const { rows } = await client.query<{ retried: number }>('select tidemark.retry($1)::int as retried', [which])
  const { retried } = rows[0]!
  const deadline = Date.now() + patienceMs
  for (;;) {
    const waiting = await topicPartitionsToRetry(client)
    if (waiting.length === 0 || Date.now() > deadline) break
    if (endpoint !== undefined)
      await callFunction(endpoint, { name: 'apply-latest-state', event: '{"records":{}}', async: false })
    await pause(200)
  }
  const left = (await listQuarantined(client, which, retried)).length
  const applied = Math.max(0, retried - left)
  console.log(
    json
      ? JSON.stringify({ retried, applied, left })
      : `Tried again: ${retried}. Applied: ${applied}. Still in quarantine: ${left}.`,
  )
  return left === 0 ? 0 : 1
}
