import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { parseDatabaseUrl } from '#localstack/database-url.ts'
import { writePrivately } from '#localstack/private-file.ts'
import type { Settings } from '#localstack/settings.ts'
import type { SecretStore } from './secret-store.ts'

/** URLs of existing databases, which are used instead of embedded ones. */
export type ExistingDatabases = Pick<Settings, 'sourceUrl' | 'targetUrl'>

const PREFIX = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:'

/** Stores the administrators' credentials as secrets under the names that the template uses. */
export function addExistingDatabases(databases: ExistingDatabases, secrets: SecretStore): void {
  for (const [name, value] of secretsOf(databases)) secrets.put(`${PREFIX}${name}`, value)
}

/** The administrators' credentials as secrets: from the secret's name to its value in RDS's JSON format. */
export function secretsOf({ sourceUrl, targetUrl }: ExistingDatabases): Map<string, string> {
  const urls = { 'tidemark-source-url': sourceUrl, 'tidemark-target-url': targetUrl }
  return new Map(
    Object.entries(urls).flatMap(([name, url]) =>
      url ? [[name, JSON.stringify(parseDatabaseUrl(url))] as const] : [],
    ),
  )
}

/**
 * Connects to each database that is given by URL. Throws an Error of one line, which names the variable, when a
 * connection fails.
 */
export async function refuseUnreachable({ sourceUrl, targetUrl }: ExistingDatabases): Promise<void> {
  for (const [variable, url] of Object.entries({ TIDEMARK_SOURCE_URL: sourceUrl, TIDEMARK_TARGET_URL: targetUrl })) {
    if (url === undefined) continue
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
    try {
      await client.connect()
    } catch (cause) {
      const reason = cause instanceof AggregateError ? cause.errors[0] : cause
      throw new Error(`${variable}: the database ${place(url)} cannot be reached: ${(reason as Error).message}`)
    } finally {
      await client.end().catch(() => undefined)
    }
  }
}

/** The databases with which the stack of this directory was started; undefined before its first start. */
export async function recallDatabases({ directory }: Settings): Promise<ExistingDatabases | undefined> {
  try {
    return JSON.parse(await readFile(fileIn(directory), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Stores the databases, so that `reset` finds them. Throws an Error when the stack was started with other databases
 * before, because its data belongs to those.
 */
export async function rememberDatabases(settings: Settings): Promise<void> {
  const { directory, sourceUrl, targetUrl } = settings
  const before = await recallDatabases(settings)
  for (const [name, now] of Object.entries({ sourceUrl, targetUrl })) {
    const then = before?.[name as keyof ExistingDatabases]
    if (before === undefined || place(then) === place(now)) continue
    const [variable, which] =
      name === 'sourceUrl' ? ['TIDEMARK_SOURCE_URL', 'source'] : ['TIDEMARK_TARGET_URL', 'target']
    throw new Error(
      `This stack was started with ${place(then)} as its ${which}, now it is ${place(now)}. Set ${variable} as before, or run "npm run reset" first.`,
    )
  }
  await writePrivately(fileIn(directory), JSON.stringify({ sourceUrl, targetUrl }))
}

const fileIn = (directory: string): string => join(directory, 'databases.json')

function place(url: string | undefined): string {
  if (url === undefined) return 'the embedded database'
  const { host, port, dbname } = parseDatabaseUrl(url)
  return `${host}:${port}/${dbname}`
}
