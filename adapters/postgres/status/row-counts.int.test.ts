import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeCountRows } from './row-counts.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase('empty')
  await database.pool.query('create table public.item as select generate_series(1, 20) as id')
})

afterAll(() => database?.drop())

const item = { schema: 'public', table: 'item', estimate: 7, writes: 20, isReadable: true }

test('a small table is counted, and again only after it was written to', async () => {
  const countRows = makeCountRows(database.pool)

  const first = await countRows([item])
  await database.pool.query('delete from public.item where id <= 5')

  expect(first).toEqual([{ name: 'public.item', rows: 20, isEstimate: false, writes: 20 }])
  expect(await countRows([item])).toMatchObject([{ rows: 20 }])
  expect(await countRows([{ ...item, writes: 25 }])).toMatchObject([{ rows: 15, isEstimate: false }])
})

test('a large table is not counted', async () => {
  const countRows = makeCountRows(database.pool)

  expect(await countRows([{ ...item, estimate: 100_001 }])).toMatchObject([{ rows: 100_001, isEstimate: true }])
})

test('a table that the role may not read is not counted', async () => {
  const countRows = makeCountRows(database.pool)

  expect(await countRows([{ ...item, isReadable: false }])).toMatchObject([{ rows: 7, isEstimate: true }])
})

test('of many tables a few are counted at each look, until all are', async () => {
  const countRows = makeCountRows(database.pool)
  const tables = Array.from({ length: 20 }, (_, n) => ({ ...item, table: `t${n}` }))
  for (const { table } of tables) await database.pool.query(`create table public.${table} ()`)

  const counted = []
  for (let look = 1; look <= 3; look++) {
    counted.push((await countRows(tables)).filter(({ isEstimate }) => !isEstimate).length)
  }

  expect(counted).toEqual([8, 16, 20])
})
