import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inspectSource } from '#preflight/source-inspection.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { startServer } from '#test-support/postgres-server.ts'
import { type Comparison, compareDatabases, isEqual } from '#verify/compare-databases.ts'

let server: Awaited<ReturnType<typeof startServer>>
let session: pg.Client
let pipeline: TestPipeline

/** Every character of the encoding beyond ASCII. */
const characters = Array.from({ length: 96 }, (_, i) => String.fromCharCode(0xa0 + i)).join('')

const connect = async (url: string) => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}

beforeAll(async () => {
  server = await startServer()
  const url = new URL(server.url)
  const administrator = await connect(server.url)
  await administrator.query(`create database source encoding 'LATIN1' locale 'C' template template0`)
  await administrator.end()
  Object.assign(url, { pathname: '/source', password: 'any' })
  session = await connect(url.href)
  await session.query(`
    create extension hstore;
    create type "Größe" as enum ('groß', 'größer');
    create table "Bücher" ("Schlüssel" text primary key, "Maß" "Größe", daten jsonb, quelle xml, paare hstore,
      namen text[] check (array_ndims(namen) = 1 and array_lower(namen, 1) = 1));
    create table notizen (text text, "Größe" "Größe");
    insert into notizen select 'für ' || n % 50, 'groß' from generate_series(1, 200) n`)
  await insert('früh')
  pipeline = await startPipeline({ sourceUrl: url.href })
}, 900_000)

afterAll(async () => {
  await session?.end()
  await pipeline?.stop()
  await server?.stop()
})

const insert = (when: string) =>
  session.query(
    `insert into "Bücher"
     select chr(n) || $1, 'größer', jsonb_build_object($1, chr(n)), xmlelement(name "für", chr(n)), hstore(chr(n), $1),
       array[chr(n), $2]
     from generate_series(160, 255) n`,
    [when, characters],
  )

async function expectEqual(): Promise<void> {
  const { source, reader: target } = pipeline.engine.endpoints
  const comparison: Comparison = await compareDatabases({ source, target, waitMs: 300_000 })
  expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
  expect(comparison.tables.map(({ table }) => table)).toEqual(
    expect.arrayContaining(['public.Bücher', 'public.notizen']),
  )
}

test('a database in LATIN1 is ready by the preflight, and what was in it before arrives as it is', async () => {
  const source = await connect(pipeline.engine.endpoints.source)
  const { findings, tables } = await inspectSource(source, ['public'])
  await source.end()

  expect(findings.filter(({ level }) => level === 'problem')).toEqual([])
  expect(tables.filter(({ refusals }) => refusals.length > 0)).toEqual([])
  await expectEqual()
  const { rows } = await pipeline.target.query('select namen[2] as all from public."Bücher" limit 1')
  expect(rows).toEqual([{ all: characters }])
})

test('changes, keys, names and defaults arrive, and who made a change', async () => {
  await insert('spät')
  await session.query(`
    begin;
    select tidemark.audit('Preis geändert', 'Müller');
    update "Bücher" set "Schlüssel" = 'é' || "Schlüssel", "Maß" = 'groß' where "Schlüssel" like '%früh';
    commit;
    delete from "Bücher" where "Schlüssel" < 'À';
    alter type "Größe" add value 'riesengroß';
    alter table "Bücher" add "Währung" text not null default 'österreichische';
    alter table notizen rename text to "Überschrift"`)
  await session.query(`
    update notizen set "Größe" = 'riesengroß' where "Überschrift" = 'für 7';
    delete from notizen where "Überschrift" = 'für 8';
    create table "späte Tabelle" ("Schlüssel" int primary key, "Wert" text);
    insert into "späte Tabelle" values (1, '${characters.replaceAll("'", "''")}')`)

  await expectEqual()
  const { rows } = await pipeline.target.query('select who, why from tidemark.audit_message')
  expect(rows).toEqual([{ who: 'Müller', why: 'Preis geändert' }])
})
