import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'
import { prepared, together } from './statement.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase('empty')
  await database.pool.query('create table public.written (n int)')
})
afterAll(() => database.drop())

describe.each([true, false])('where the session pipelines: %s', (pipeline) => {
  let pool: pg.Pool

  beforeAll(() => {
    pool = lastingPool({ connectionString: database.url, pipeline })
  })
  afterAll(() => pool.end())

  test('of statements sent together the first error is thrown, and nothing takes effect after the rollback', async () => {
    const client = await pool.connect()
    const insert = (n: number) => client.query('insert into public.written values ($1)', [n])
    /** Continues after its first query, as the writing of a table with several statements does. */
    const insertTwice = async (n: number) => {
      await insert(n).catch(() => undefined)
      await insert(n + 1)
    }
    await client.query('begin')

    const sent = together(client, [
      () => client.query('select 1 / 0'),
      () => insertTwice(1),
      () => client.query('select no_such_column'),
    ])

    await expect(sent).rejects.toThrow('division by zero')
    await client.query('rollback')
    client.release()
    expect((await pool.query('select n from public.written')).rows).toEqual([])
  })

  test('a commit that is sent together with a statement that fails commits nothing', async () => {
    const client = await pool.connect()
    await client.query('begin')
    await client.query('insert into public.written values (1)')

    await expect(together(client, [() => client.query('select 1 / 0'), () => client.query('commit')])).rejects.toThrow(
      'division by zero',
    )

    await client.query('rollback')
    client.release()
    expect((await pool.query('select n from public.written')).rows).toEqual([])
  })
})

test('a statement is planned once for a session, whatever its values', async () => {
  const client = await database.pool.connect()
  const text = 'insert into public.written values ($1)'
  for (const n of [1, 2, 3]) await client.query(prepared({ text, values: [n] }))

  const { rows } = await client.query(
    'select statement, generic_plans + custom_plans as runs from pg_prepared_statements',
  )

  client.release()
  expect(rows).toEqual([{ statement: text, runs: '3' }])
})

test('no more than 200 statements are prepared: plans take memory in each session', () => {
  const names = Array.from({ length: 300 }, (_, i) => prepared({ text: `select ${i}`, values: [] }).name)

  expect(new Set(names).size).toBeLessThanOrEqual(201)
  expect(names.at(-1)).toBeUndefined()
})
