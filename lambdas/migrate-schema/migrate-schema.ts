import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import type { ClientBase, Pool } from 'pg'
import { publishForInitialSnapshot } from '#adapters/postgres/capture/publish-for-initial-snapshot.ts'
import { removeSource } from '#adapters/postgres/capture/remove-source.ts'
import { configureSource, newestGeneration, type SourceSetting } from '#adapters/postgres/capture/source-setting.ts'
import { migrate } from '#adapters/postgres/migration/migrate.ts'
import { setRolePassword } from '#adapters/postgres/migration/role-password.ts'
import type { DatabaseCredentials } from '#adapters/postgres/session/connect.ts'
import type { CustomResourceResult } from '../custom-resource.ts'
import { readProperties, type SchemaProperties } from './properties.ts'

/** One side: its administrator, its SQL files, and the roles whose passwords are in the secrets. */
export type Side = {
  database: Pool
  directory: string
  logins: Record<string, () => Promise<DatabaseCredentials>>
}

/**
 * The work of the resource Custom::Schema. Create and update bring both sides up to date, set the roles' passwords, put
 * the setting in force and publish what can be captured. Delete removes Tidemark from the source when `DropOnDelete` is
 * set.
 */
export function makeMigrateSchema({ source, target }: { source: Side; target: Side }) {
  return async (event: CloudFormationCustomResourceEvent): Promise<CustomResourceResult> => {
    const properties = readProperties(event.ResourceProperties)
    if (event.RequestType === 'Delete') {
      if (properties.DropOnDelete) await withClient(source.database, removeSource)
      return {}
    }
    const [targetMigrations, knownGeneration] = await withClient(target.database, async (client) => {
      const { applied } = await bringUpToDate(client, target)
      return [applied.length, await newestGeneration(client)]
    })
    const sourceMigrations = await withClient(source.database, async (client) => {
      const { applied } = await bringUpToDate(client, source)
      await configureSource(client, settingOf(properties, knownGeneration))
      await publishForInitialSnapshot(client)
      return applied.length
    })
    return { data: { sourceMigrations, targetMigrations } }
  }
}

async function bringUpToDate(client: ClientBase, { directory, logins }: Side): Promise<{ applied: string[] }> {
  const migrated = await migrate(client, directory)
  for (const [role, credentials] of Object.entries(logins)) {
    const { username, password } = await credentials()
    if (username !== role)
      throw new Error(`the secret of role ${role} has the user name ${username}: it must be ${role}`)
    await setRolePassword(client, role, password)
  }
  return migrated
}

const settingOf = ({ TopicPartitions, Captured, Epoch }: SchemaProperties, knownGeneration: number): SourceSetting => ({
  topicPartitions: TopicPartitions,
  captured: Captured,
  epoch: Epoch,
  knownGeneration,
})

async function withClient<T>(pool: Pool, work: (client: ClientBase) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    return await work(client)
  } finally {
    client.release()
  }
}
