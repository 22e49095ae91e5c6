import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDatabase } from '#test-support/databases/database.ts'
import { createSource, type SourceDatabase } from '#test-support/databases/source-database.ts'
import { eventually } from '#test-support/eventually.ts'

let source: SourceDatabase

const emit = async () => Number((await source.pool.query('select tidemark.emit_beacon() as number')).rows[0].number)

beforeEach(async () => {
  source = await createSource()
})

afterEach(() => source.drop())

test('a beacon gives every topic partition the same number and says which source it is and how far its log', async () => {
  const [first, second] = [await emit(), await emit()]

  const { rows } = await source.pool.query(`
    select slot, number::int, body, emitted_at > now() - interval '1 minute' as fresh,
      (body ->> 'lsn')::pg_lsn <= pg_current_wal_insert_lsn() as past
    from tidemark.beacon order by slot`)
  const body = {
    systemIdentifier: expect.stringMatching(/^\d{19}$/),
    timeline: 1,
    database: source.name,
    slotName: `tidemark_e${source.epoch}`,
    lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
    previousLsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
    emittedMs: expect.any(Number),
    confirmedLsn: null,
    contractsMissing: false,
    topicPartitions: 2,
  }
  expect([first, second]).toEqual([1, 2])
  expect(rows).toEqual([
    { slot: 0, number: 2, body, fresh: true, past: true },
    { slot: 1, number: 2, body, fresh: true, past: true },
  ])
})

test('a beacon says that a contract could not be written, until the next capture has written it', async () => {
  await source.listen()
  const said = async () => {
    await emit()
    return (await source.pool.query(`select distinct body -> 'contractsMissing' as missing from tidemark.beacon`)).rows
  }
  const other = await source.pool.connect()
  await other.query('begin; lock table tidemark.table_contract')
  await source.pool.query('create table ride (id int primary key)')
  await other.query('commit')
  other.release()

  await eventually(async () => expect(await said()).toEqual([{ missing: true }]))
  await source.pool.query('select tidemark.catch_up()')

  expect(await said()).toEqual([{ missing: false }])
  expect(await source.contracts('public.ride')).toHaveLength(1)
})

test('beacons emitted at once have different numbers', async () => {
  const numbers = await Promise.all(Array.from({ length: 8 }, emit))

  expect(numbers.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})

test('everything committed before a beacon is emitted has a place in the log before it', async () => {
  await source.pool.query('create table ride (id int primary key); insert into ride values (1)')
  const { rows } = await source.pool.query('select pg_current_wal_lsn() as committed')

  await emit()

  const passed = await source.pool.query(`select (body ->> 'lsn')::pg_lsn >= $1 as passed from tidemark.beacon`, [
    rows[0].committed,
  ])
  expect(passed.rows).toEqual([{ passed: true }, { passed: true }])
})

test('a source that is not configured says so', async () => {
  const bare = await createDatabase('source')

  const emitted = bare.pool.query('select tidemark.emit_beacon()')

  await expect(emitted).rejects.toThrow('there are no beacons yet: tidemark.configure creates them')
  await bare.drop()
})
