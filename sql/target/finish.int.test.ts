import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate } from '#adapters/postgres/migration/migrate.ts'
import { createDatabase, databaseUrl, type TestDatabase } from '#test-support/databases/database.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'

let target: TestDatabase
beforeEach(async () => {
  // The template has made the roles, which belong to the whole server.
  await (await createDatabase('target')).drop()
  target = await createDatabase('empty')
})
afterEach(() => target.drop())

test('an administrator that is no superuser installs the target, and makes all functions again later', async () => {
  const username = `admin_${target.name}`
  await target.pool.query(`
    create role ${username} login createrole password 'p';
    grant tidemark_owner, tidemark_apply, tidemark_archive, tidemark_windows, tidemark_read, tidemark_console_read,
      tidemark_console_act to ${username} with admin option;
    alter database ${target.name} owner to ${username}`)
  const administrator = lastingPool({ connectionString: databaseUrl(target.name, { username, password: 'p' }), max: 1 })
  const client = await administrator.connect()

  const first = await migrate(client, import.meta.dirname)
  await client.query(`delete from tidemark.migration where file not like 'tables/%'`)
  const second = await migrate(client, import.meta.dirname)

  client.release()
  await administrator.end()
  await target.pool.query(`reassign owned by ${username} to postgres; drop owned by ${username}; drop role ${username}`)
  const functions = first.applied.filter((name) => name.startsWith('functions/'))
  expect(second.applied).toEqual([...functions, 'finish.sql'])
})
