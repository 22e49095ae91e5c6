import { createHash } from 'node:crypto'
import type pg from 'pg'

/** One statement and its values. */
export type Statement = { readonly text: string; readonly values: (string | number | boolean | null | object)[] }

/** Statements that a process has Postgres keep plans of, at most: each session keeps its own. */
const mostPrepared = 200

const names = new Map<string, string>()

/**
 * The statement as one that each session parses and plans once. It is prepared by the protocol and not by SQL, which RDS
 * Proxy would pin the session for. Beyond the limit a statement is sent as it is: plans take memory in each session.
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
 * Runs queries of one session that do not need each other's results, and gives these in order. A session that pipelines is
 * sent all of them together; any other one after the other. Rejects with the first error, but only when all that were sent
 * have ended: a query that followed a rollback would take effect outside of the transaction.
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
