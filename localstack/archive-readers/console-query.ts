import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { QueryResult } from '#core/console/archive.ts'
import type { Refusal } from '#lambdas/serve-console/refusal.ts'
import type { ArchiveAddress } from './chdb.ts'
import type { QueryOrder, QueryReply } from './console-query-process.ts'
import { installChdb } from './install-chdb.ts'
import { refusalOf } from './query-result.ts'

/** Queries of the console on the archive of a local stack. */
export type ConsoleQuery = {
  /**
   * Runs one query after the other, each with a limit of 500 rows and of time. A query that is wrong or takes too long is
   * an outcome.
   */
  query(sql: string): Promise<QueryResult | Refusal>
  close(): void
}

/** ClickHouse ends a query itself after 20 s, except for what it does while it plans. */
const ANSWER_MS = 30_000
/** An answer has to come before the browser gives up, so an installation goes on after it. */
const INSTALL_MS = 20_000
/** ClickHouse needs a few hundred megabytes, which are returned when nobody asks. */
const IDLE_MS = 120_000

/** Makes them for an archive. ClickHouse is installed at the first query if it is missing. */
export function makeConsoleQuery(address: ArchiveAddress): ConsoleQuery {
  let child: ChildProcess | undefined
  let idle: NodeJS.Timeout | undefined
  let turn: Promise<unknown> = Promise.resolve()
  let installed: Promise<unknown> | undefined
  const end = () => {
    clearTimeout(idle)
    child?.kill('SIGKILL')
    child = undefined
  }
  const run = async (sql: string) => {
    const refusal = refusalOf(sql)
    if (refusal !== undefined) return { refused: refusal, hint: null }
    installed ??= installChdb().catch((error: unknown) => {
      installed = undefined
      throw error
    })
    const isInstalled = await Promise.race([installed.then(() => true), pause(INSTALL_MS, false, { ref: false })])
    if (!isInstalled) return { refused: 'ClickHouse is being installed (550 MB)', hint: 'Ask again in a minute.' }
    clearTimeout(idle)
    child ??= startProcess()
    const reply = await replyOf(child, { address, sql })
    // After a query that failed on its way, ClickHouse would put the rest of its answer before the next one.
    if (reply === 'gone' || reply === 'late' || 'refused' in reply) end()
    else idle = setTimeout(end, IDLE_MS).unref()
    if (reply === 'gone')
      return { refused: 'ClickHouse ended during the query', hint: 'It may need less memory with fewer columns.' }
    if (reply === 'late') return { refused: 'the query took longer than 30 seconds', hint: 'Add conditions to it.' }
    return 'result' in reply ? reply.result : { refused: reply.refused, hint: null }
  }
  return {
    query: (sql) => {
      const result = turn.then(() => run(sql))
      turn = result.catch(() => undefined)
      return result
    },
    close: end,
  }
}

/** It has a session of its own, so that a Ctrl-C in the terminal ends it only with this process. */
function startProcess(): ChildProcess {
  const child = fork(join(import.meta.dirname, 'console-query-process.ts'), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    detached: true,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  // A process that cannot be started, or that ends while it is written to, is noticed by its exit.
  child.on('error', () => undefined)
  child.unref()
  child.channel?.unref()
  return child
}

async function replyOf(child: ChildProcess, order: QueryOrder): Promise<QueryReply | 'gone' | 'late'> {
  const stop = new AbortController()
  const { signal } = stop
  try {
    // A process that could not be started has an error instead of an exit.
    const isGone = () => 'gone' as const
    const reply = once(child, 'message', { signal }).then(([message]) => message as QueryReply, isGone)
    const gone = once(child, 'exit', { signal }).then(isGone, isGone)
    const late = pause(ANSWER_MS, 'late' as const, { signal }).catch(isGone)
    if (!child.connected) return 'gone'
    child.send(order)
    return await Promise.race([reply, gone, late])
  } finally {
    stop.abort()
  }
}
