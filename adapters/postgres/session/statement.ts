import { createHash } from 'node:crypto'
import type pg from 'pg'

/** A statement and its values. */
export type Statement = { readonly text: string; readonly values: (string | number | boolean | null | object)[] }

/** The greatest number of statements that a process prepares. Each session keeps plans of its own. */
const mostPrepared = 200

const names = new Map<string, string>()

/**
 * Makes a statement one that each session parses and plans only once. It is prepared by the protocol and not by SQL,
 * for which RDS Proxy would pin the session. Beyond the limit a statement is sent unprepared, because plans need memory
 * in each session.
 */
export function prepared({ text, values }: Statement): pg.QueryConfig {
  const name = nameOf(text)
  return name === undefined ? { text, values } : { name, text, values }
}

function nameOf(text: string): string | undefined {
  const known = names.get(text)
  if (known !== undefined || names.size >= mostPrepared) return known
  const name = createHash('md5').update(text).digest('hex')
  names.set(text, name)
  return name
}

/**
 * Runs queries of one session that do not need each other's results, and returns their results in order. A session with
 * pipelining gets all of them together, any other one gets them one by one. Rejects with the first error, but only
 * after all sent queries have ended: a query that arrived after the rollback would take effect outside of the
 * transaction.
 */
export async function together<const T extends readonly (() => unknown)[]>(
  client: pg.PoolClient,
  queries: T,
): Promise<{ -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> }> {
  const results = pipelines(client) ? await inOneFlight(queries) : await oneByOne(queries)
  return results as { -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> }
}

const pipelines = (client: pg.PoolClient): boolean => (client as pg.PoolClient & { pipeline: boolean }).pipeline

async function oneByOne(queries: readonly (() => unknown)[]): Promise<unknown[]> {
  const results: unknown[] = []
  for (const query of queries) results.push(await query())
  return results
}

async function inOneFlight(queries: readonly (() => unknown)[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(queries.map((query) => query()))
  const failed = settled.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value)
}
