import { expect, test } from 'vitest'
import { consolePool } from '#test-support/databases/console-pool.ts'
import { createSource } from '#test-support/databases/source-database.ts'
import { readContractTimes } from './contract-times.ts'

test('the console reads when the source wrote each version of a contract, with the epoch', async () => {
  const source = await createSource()
  const reader = consolePool(source)
  try {
    await source.listen()
    await source.pool.query('create table public.orders (id bigint primary key)')
    await source.pool.query('alter table public.orders add column note text')
    await source.pool.query('create table public.other (id bigint primary key)')
    await source.pool.query(
      `update tidemark.table_contract set created_at = '2026-11-30 14:05:03.000001+00' where version = 1`,
    )
    const relation = (await source.contracts('public.orders'))[0]!.relation

    const times = await readContractTimes(reader, [relation])

    expect(times).toHaveLength((await source.contracts('public.orders')).length)
    expect(times.find(({ version }) => version === 1)).toEqual({
      epoch: source.epoch,
      relation,
      version: 1,
      at: '2026-11-30T14:05:03.000001Z',
    })
    expect(new Set(times.map((time) => time.relation))).toEqual(new Set([relation]))
    expect(await readContractTimes(reader, [])).toEqual([])
  } finally {
    await reader.end()
    await source.drop()
  }
})
