import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

beforeAll(async () => {
  source = await createSource()
  await source.pool.query(`select pg_create_logical_replication_slot('audit_${source.epoch}', 'pgoutput')`)
})

afterAll(() => source.drop())

/** Audit messages in the log since the last look. */
async function messages(): Promise<unknown[]> {
  const { rows } = await source.pool.query(
    // The prefix, a zero and the length of the text stand before it.
    `select convert_from(substr(data, position('\\x617564697400'::bytea in data) + 10), 'UTF8')::jsonb as message
     from pg_logical_slot_get_binary_changes($1, null, null,
       'proto_version', '1', 'publication_names', 'tidemark', 'messages', 'true')
     where get_byte(data, 0) = ascii('M')`,
    [`audit_${source.epoch}`],
  )
  return rows.map(({ message }) => message)
}

test('a role without any rights says who changes rows and why, in one line of its transaction', async () => {
  const role = `audit_${source.name}`
  await source.pool.query(`create role ${role}`)
  const client = await source.pool.connect()

  await client.query(`
    set application_name = 'shop'; set role ${role};
    begin; select tidemark.audit('refund 7', 'anna', '{"ticket": 7}'); commit;
    select tidemark.audit(); reset role; drop role ${role}`)

  client.release(true)
  const process = expect.any(Number)
  expect(await messages()).toEqual([
    { who: 'anna', why: 'refund 7', application: 'shop', address: '127.0.0.1', process, details: { ticket: 7 } },
    { who: 'postgres', why: null, application: 'shop', address: '127.0.0.1', process, details: null },
  ])
})

test('a transaction that is rolled back has no message', async () => {
  await source.pool.query(`begin; select tidemark.audit('never'); rollback`)

  expect(await messages()).toEqual([])
})

test('that everybody may call it opens nothing else of the schema', async () => {
  const role = `nobody_${source.name}`
  const client = await source.pool.connect()
  await client.query(`create role ${role}; set role ${role}`)

  for (const statement of ['select * from tidemark.setting', `select tidemark.resync('public.x')`]) {
    await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' })
  }
  const { rows } = await client.query(`
    select p.proname from pg_proc p
    where p.pronamespace = 'tidemark'::regnamespace and has_function_privilege(p.oid, 'execute')`)

  expect(rows).toEqual([{ proname: 'audit' }])
  await client.query(`reset role; drop role ${role}`)
  client.release(true)
})
