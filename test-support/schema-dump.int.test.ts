import { expect, test } from 'vitest'
import { createDatabase } from './database.ts'
import { dumpSchema } from './schema-dump.ts'

test.each(['source', 'target'] as const)('migrating the %s from zero gives the committed schema', async (side) => {
  const database = await createDatabase(side)

  const dump = await dumpSchema(database.pool)

  await database.drop()
  await expect(dump).toMatchFileSnapshot(`../sql/${side}/schema.sql`)
})
