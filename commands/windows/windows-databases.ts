import type pg from 'pg'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { requireEngine } from '../running/running-engine.ts'
import type { WindowsArguments } from './windows-arguments.ts'

/** URLs of both databases, as their administrators; without a source where only the target was given. */
export async function findDatabases({
  source,
  target,
}: Pick<WindowsArguments, 'source' | 'target'>): Promise<{ source: string | undefined; target: string }> {
  if (target !== undefined) return { source, target }
  if (source !== undefined) throw new UsageError('Give --target too, or neither')
  const { endpoints } = await requireEngine()
  return { source: endpoints.source, target: endpoints.target }
}

/** Works with a connection to the target as its administrator. */
export async function withTarget<T>(
  given: Pick<WindowsArguments, 'source' | 'target'>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = clientOfUrl((await findDatabases(given)).target, 'tidemark-definitions')
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Throws a UsageError when there are other words than the verb takes. */
export function requireWords(words: readonly string[], most: number, what: string): void {
  if (words.length > most) throw new UsageError(`${what}. Left over: ${words.slice(most).join(' ')}`)
}
