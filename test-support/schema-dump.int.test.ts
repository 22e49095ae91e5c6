import { expect, test } from 'vitest'
import { createDatabase } from '#test-support/databases/database.ts'
import { findInvalidFunctions, findUnfixedFunctions } from '#test-support/databases/installed-functions.ts'
import { dumpSchema } from './schema-dump.ts'

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
  expect(unfixed, 'finish.sql of the side gives settings to every function').toEqual([])
})

test.each(['source', 'target'] as const)('the body of each function of the %s is valid', async (side) => {
  const database = await createDatabase(side)

  // Functions are created without a check of their bodies, because one may call another that is created later.
  const invalid = await findInvalidFunctions(database.pool)

  await database.drop()
  expect(invalid).toEqual([])
})
