/** The JSON of a database secret. */
export type DatabaseSecret = { host: string; port: number; dbname: string; username: string; password: string }

/** Converts `postgres://user:password@host:port/database` to the form of a secret. */
export function parseDatabaseUrl(text: string): DatabaseSecret & { engine: 'postgres' } {
  const url = new URL(text)
  return {
    engine: 'postgres',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 5432),
    dbname: decodeURIComponent(url.pathname.slice(1)),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  }
}

/** The URL of the database in a secret. */
export function formatDatabaseUrl({ host, port, dbname, username, password }: DatabaseSecret): string {
  const user = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
  return `postgres://${user}@${host.includes(':') ? `[${host}]` : host}:${port}/${encodeURIComponent(dbname)}`
}
