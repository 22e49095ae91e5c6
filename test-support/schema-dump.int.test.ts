import { expect, test } from 'vitest'
import { createDatabase } from './database.ts'
import { dumpSchema } from './schema-dump.ts'
import { findUnfixedFunctions } from './unfixed-functions.ts'

test.each(['source', 'target'] as const)('migrating the %s from zero gives the committed schema', async (side) => {
  const database = await createDatabase(side)

  const dump = await dumpSchema(database.pool)

  await database.drop()
  await expect(dump).toMatchFileSnapshot(`../sql/${side}/schema.sql`)
})

test.each(['source', 'target'] as const)('each function of the %s has the settings that it relies on', async (side) => {
  const database = await createDatabase(side)

  const unfixed = await findUnfixedFunctions(database.pool)

  await database.drop()
  expect(unfixed, 'the migration that made them has to call tidemark.fix_settings() at its end').toEqual([])
})
