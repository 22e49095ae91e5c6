import { parseArgs } from 'node:util'
import pg from 'pg'
import {
  declareIndex,
  indexableTables,
  listIndexes,
  makeMissingIndexes,
  removeIndex,
  type UserIndex,
} from '#adapters/postgres/maintenance/user-indexes.ts'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { sqlState } from '#adapters/postgres/session/transient-error.ts'
import { messageWithHint } from '#terminal/error-message.ts'
import { makeProgressLine } from '#terminal/progress-line.ts'
import { requireTables } from '#terminal/table-names.ts'
import { exitCodeOf, UsageError } from '#terminal/usage-error.ts'
import { describeIndexes } from './index/index-listing.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run index -- list [<schema.table>]
npm run index -- add <schema.table> '<definition>' [--name N]
npm run index -- build [<schema.table>]
npm run index -- remove <schema.table> <name>

Manages your own indexes on the tables of the target. Each index is declared once. It follows renames of its table and its
columns, and is created on every new generation of the rows before that generation is shown. On a parent table it is created
on the rows of each table below it. Changes are still applied while an index is created.
  add        declares an index and creates it. The definition is the text that follows the name of the table in "create
             index", with the names of the source. No index is unique, because topic partitions are applied independently
  build      creates the indexes that are missing, for example those that "npm run status" shows
  remove     drops the index and deletes its declaration
  --name     the name of the index (the name that Postgres would give it)
  --json     the indexes, or the outcome, as JSON
  --target   another database than that of the running stack
Exits with 0 when it is done, with 1 when an index could not be created, and with 2 when an argument or the definition is
wrong. The message says why.

  npm run index -- add public.trips '(lower(name), created_at desc) where deleted_at is null'`

const options = {
  name: { type: 'string' },
  json: { type: 'boolean', default: false },
  target: { type: 'string' },
  help: { type: 'boolean' },
} as const

type Values = ReturnType<typeof parse>['values']
const parse = (argv: string[]) => parseArgs({ args: argv, options, allowPositionals: true })

/** Returns 0 when it was done, 1 when an index could not be made, and 2 when an argument is wrong. */
export async function main(argv: string[]): Promise<number> {
  try {
    return await index(argv)
  } catch (error) {
    console.error(messageWithHint(error))
    return isWrongDefinition(error) ? 2 : exitCodeOf(error)
  }
}

/** The numbers of arguments that each verb takes. */
const VERBS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  list: [0, 1],
  add: [2, 2],
  build: [0, 1],
  remove: [2, 2],
}

async function index(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv)
  if (values.help) {
    console.log(help)
    return 0
  }
  const [verb = '', table, ...rest] = positionals
  const taken = VERBS[verb]
  if (taken === undefined) throw new UsageError(`Say what to do: ${Object.keys(VERBS).join(', ')}.\n\n${help}`)
  const given = positionals.length - 1
  if (given < taken[0])
    throw new UsageError(
      `npm run index -- ${verb} needs ${verb === 'add' ? "a table and a definition such as '(lower(name))'" : 'a table and the name of an index'}.`,
    )
  if (given > taken[1])
    throw new UsageError(
      `A definition must be one argument: put it in quotes. Left over: ${positionals.slice(taken[1] + 1).join(' ')}`,
    )
  if (values.name !== undefined && verb !== 'add') throw new UsageError('--name is for add.')
  const url = values.target ?? (await requireEngine()).endpoints[verb === 'list' ? 'reader' : 'target']
  return withClients(url, async (client, watching) => {
    if (verb === 'list') return list(client, table ?? null, values)
    if (verb === 'remove') return remove(client, table!, rest[0]!, values)
    if (table !== undefined) requireTables([table], await indexableTables(client))
    if (verb === 'build') return build({ making: client, watching }, table ?? null, undefined, values)
    const name = await declareIndex(client, { table: table!, definition: rest[0]!, name: values.name })
    return build({ making: client, watching }, table!, name, values)
  })
}

async function withClients(url: string, run: (one: pg.Client, other: pg.Client) => Promise<number>): Promise<number> {
  const clients = [clientOfUrl(url, 'tidemark-index'), clientOfUrl(url, 'tidemark-index')] as const
  try {
    await Promise.all(clients.map((client) => client.connect()))
    return await run(...clients)
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}

async function list(client: pg.Client, table: string | null, values: Values): Promise<number> {
  print(await listIndexes(client, table), values)
  return 0
}

async function remove(client: pg.Client, table: string, name: string, { json }: Values): Promise<number> {
  await removeIndex(client, table, name)
  console.log(json ? JSON.stringify({ removed: { table, name } }) : `${table} has no index ${name} any more.`)
  return 0
}

async function build(
  sessions: { making: pg.Client; watching: pg.Client },
  table: string | null,
  name: string | undefined,
  values: Values,
): Promise<number> {
  const progress = makeProgressLine()
  const indexes = await makeMissingIndexes(sessions, table, ({ table: of, name: made, madeAs }) =>
    progress.show(`making ${made} of ${of} as tidemark_rows.${madeAs}`),
  ).finally(progress.clear)
  const asked = indexes.filter((each) => name === undefined || each.name === name)
  print(asked, values)
  return asked.every(({ state }) => state === 'made' || state === 'no table') ? 0 : 1
}

function print(indexes: readonly UserIndex[], { json }: Values): void {
  if (json) console.log(JSON.stringify(indexes, null, 2))
  else
    for (const line of describeIndexes(indexes, process.stdout.columns ?? Number.POSITIVE_INFINITY)) console.log(line)
}

/** What Postgres refuses of a definition: syntax, names, rights, and what is not supported. */
const isWrongDefinition = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && /^(42|0A)/.test(sqlState(error) ?? '')
