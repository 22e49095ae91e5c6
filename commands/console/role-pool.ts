import { createHmac } from 'node:crypto'
import type pg from 'pg'
import { setRolePassword } from '#adapters/postgres/migration/role-password.ts'
import { clientOfUrl } from '#adapters/postgres/session/client-of-url.ts'
import { type DatabaseCredentials, makePool } from '#adapters/postgres/session/connect.ts'
import { parseDatabaseUrl } from '#localstack/database-url.ts'
import type { StackKey } from '#localstack/stack-key.ts'

export type ConsoleRole = 'tidemark_console_read' | 'tidemark_console_act'

export type RolePoolOptions = {
  /** The administrator's URL of the database. */
  administrator: string
  role: ConsoleRole
  /** The key of the stack, from which the role's password is made. */
  key: StackKey
  max: number
}

/**
 * A pool that logs in as a role of the console, so that the console has that role's rights and no others. On AWS the role
 * gets its password by the migration. Here the administrator gives it one before the first connection: the same in
 * each process of the stack, so that none locks another one out.
 */
export function makeRolePool({ administrator, role, key, max }: RolePoolOptions): pg.Pool {
  const address = parseDatabaseUrl(administrator)
  const password = createHmac('sha256', key.secretAccessKey)
    .update(`${role} at ${address.host}:${address.port}/${address.dbname}`)
    .digest('base64url')
  let prepared: Promise<void> | undefined
  const credentials = async (): Promise<DatabaseCredentials> => {
    prepared ??= givePassword(administrator, role, password).catch((error) => {
      // The database may not answer yet, so the next connection tries again.
      prepared = undefined
      throw error
    })
    await prepared
    return { ...address, username: role, password }
  }
  return makePool({ credentials, tls: 'disable', applicationName: 'tidemark-console', max })
}

async function givePassword(administrator: string, role: ConsoleRole, password: string): Promise<void> {
  const client = clientOfUrl(administrator, 'tidemark-console', { connectionTimeoutMillis: 5_000 })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await setRolePassword(client, role, password)
  } finally {
    await client.end()
  }
}
