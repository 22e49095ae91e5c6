// The process in which ClickHouse runs for the console. A query that needs too much memory, or that crashes the library,
// ends this process and not the stack.

import { type ArchiveAddress, attachArchive, type Chdb, openChdb } from './chdb.ts'
import { MOST_ROWS, queryResultOf } from './query-result.ts'

/** The parent sends these one at a time, and gets a QueryReply for each. */
export type QueryOrder = { readonly address: ArchiveAddress; readonly sql: string }
/** `refused` is ClickHouse's own message. */
export type QueryReply = { readonly result: ReturnType<typeof queryResultOf> } | { readonly refused: string }

const MOST_SECONDS = 20
const MOST_MEMORY = 2_000_000_000

/** After `readonly`, no further setting can be changed, neither by these statements nor by a query. */
const settings = [
  // Reading ends after the block in which there are as many rows, so blocks are small.
  `set max_result_rows = ${MOST_ROWS + 1}`,
  'set max_result_bytes = 50000000',
  `set result_overflow_mode = 'break'`,
  'set max_block_size = 4096',
  `set max_execution_time = ${MOST_SECONDS}`,
  `set max_memory_usage = ${MOST_MEMORY}`,
  'set output_format_json_quote_64bit_integers = 1',
  'set output_format_json_quote_decimals = 1',
  'set output_format_json_quote_denormals = 1',
  'set readonly = 1',
]

let opened: Promise<Chdb> | undefined

async function open(address: ArchiveAddress): Promise<Chdb> {
  const chdb = await openChdb()
  await attachArchive(chdb, address)
  // The catalog in ClickHouse is called archive as well. The view makes this name mean the table in queries.
  await chdb.query('create or replace view archive as select * from changes')
  for (const setting of settings) await chdb.query(setting)
  return chdb
}

async function answer({ address, sql }: QueryOrder): Promise<QueryReply> {
  try {
    opened ??= open(address).catch((error: unknown) => {
      // The archive may not have a table yet.
      opened = undefined
      throw error
    })
    const chdb = await opened
    const began = performance.now()
    return { result: queryResultOf(await chdb.query(sql, 'JSONCompact'), performance.now() - began) }
  } catch (error) {
    return { refused: (error as Error).message.slice(0, 4_000) }
  }
}

process.on('message', (order: QueryOrder) => void answer(order).then((reply) => process.send?.(reply)))
process.once('disconnect', () => process.exit())
