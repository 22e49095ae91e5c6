import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'

let source: SourceDatabase

beforeAll(async () => {
  source = await createSource({}, { encoding: 'LATIN1' })
  await source.listen()
  await source.pool.query(`select pg_create_logical_replication_slot('latin1_${source.epoch}', 'pgoutput')`)
})
afterAll(() => source.drop())

test('an audit message of a database in LATIN1 is UTF-8, as every other text is that leaves it', async () => {
  await source.pool.query(`select tidemark.audit('Größe geändert', 'Müller', '{"naïve": "çà"}')`)

  const { rows } = await source.pool.query(
    `select data
     from pg_logical_slot_get_binary_changes($1, null, null,
       'proto_version', '1', 'publication_names', 'tidemark', 'messages', 'true')
     where get_byte(data, 0) = ascii('M')`,
    [`latin1_${source.epoch}`],
  )
  const [{ data }] = rows as [{ data: Buffer }]
  const text = new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(data.indexOf('audit\0') + 10))
  expect(JSON.parse(text)).toMatchObject({ why: 'Größe geändert', who: 'Müller', details: { naïve: 'çà' } })
})

test('contracts of a database in LATIN1 have its names, labels and defaults', async () => {
  await source.pool.query(`
    create type "Größe" as enum ('groß', 'größer');
    create table "Bestellung_ß" ("Schlüssel" int primary key, "Maß" "Größe" default 'groß');
    alter table "Bestellung_ß" add "Währung" text not null default 'österreichische'`)

  const contract = (await source.contracts('public.Bestellung_ß')).at(-1)!

  expect(contract.columns.map(({ name }) => name)).toEqual(['Schlüssel', 'Maß', 'Währung'])
  expect(contract.columns[1]).toMatchObject({ carried: 'text', definition: expect.stringContaining('größer') })
  expect(contract.columns[2]).toMatchObject({ missing: 'österreichische' })
})

test('a name that is too long for the target in UTF-8 is refused, with the SQL that changes it', async () => {
  const long = 'ü'.repeat(60)
  await source.pool.query(`
    create table "${long}" (id int primary key);
    create table longs (id int primary key, "${long}" text);
    create table fits ("${'ü'.repeat(31)}" int primary key, "${'u'.repeat(63)}" text)`)
  expect(await source.state('public.fits')).toMatchObject({ state: 'pending' })

  for (const [table, what] of [
    [long, 'its name'],
    ['longs', `the name of its column "${long}"`],
  ]) {
    const refused = await source.state(`public.${table}`)
    expect(refused).toMatchObject({ state: 'refused' })
    expect(refused!.reason).toBe(`${what} has more than 63 bytes in UTF-8: the target would cut it off`)
    await source.pool.query(refused!.fix!)
  }

  expect(await source.state('public.longs')).toMatchObject({ state: 'pending' })
  expect(await source.state(`public.${'ü'.repeat(15)}`)).toMatchObject({ state: 'pending' })
})
