import type { Workload } from './workload.ts'

const ACCOUNTS = 100_000
const TELLERS = 10

/** Lehmer's generator, which makes the same numbers in every run. */
function* numbers(): Generator<number, never> {
  for (let state = 20_260_101; ; ) {
    state = (state * 48_271) % 2_147_483_647
    yield state
  }
}

/**
 * pgbench's TPC-B-like transactions. pgbench's history table has no key; here it has one, because the peers need one.
 */
export const tpcb: Workload = {
  name: 'tpcb',
  summary:
    'pgbench at scale 1: its accounts are filled, then its TPC-B-like transactions, three updates and an insert each',
  rows: 25_000,
  tables: (prefix) => [
    {
      ...{ name: `${prefix}_accounts`, key: 'aid' },
      columns: [
        ['aid', 'int'],
        ['bid', 'int'],
        ['abalance', 'int'],
        ['filler', 'char(84)'],
      ],
    },
    {
      ...{ name: `${prefix}_tellers`, key: 'tid' },
      columns: [
        ['tid', 'int'],
        ['bid', 'int'],
        ['tbalance', 'int'],
        ['filler', 'char(84)'],
      ],
    },
    {
      ...{ name: `${prefix}_branches`, key: 'bid' },
      columns: [
        ['bid', 'int'],
        ['bbalance', 'int'],
        ['filler', 'char(88)'],
      ],
    },
    {
      ...{ name: `${prefix}_history`, key: 'hid' },
      columns: [
        ['hid', 'bigint'],
        ['tid', 'int'],
        ['bid', 'int'],
        ['aid', 'int'],
        ['delta', 'int'],
        ['mtime', 'timestamp'],
        ['filler', 'char(22)'],
      ],
    },
  ],
  *transactions(prefix, rows) {
    const of = (table: string) => `public.${prefix}_${table}`
    yield `insert into ${of('branches')} values (1, 0, null);
      insert into ${of('tellers')} select g, 1, 0, null from generate_series(1, ${TELLERS}) g;
      insert into ${of('accounts')} select g, 1, 0, '' from generate_series(1, ${ACCOUNTS}) g`
    const next = numbers()
    const one = (most: number) => 1 + (next.next().value % most)
    for (let number = 1; number <= rows; number++) {
      const [aid, tid, delta] = [one(ACCOUNTS), one(TELLERS), one(10_001) - 5_001]
      yield `update ${of('accounts')} set abalance = abalance + ${delta} where aid = ${aid};
        update ${of('tellers')} set tbalance = tbalance + ${delta} where tid = ${tid};
        update ${of('branches')} set bbalance = bbalance + ${delta} where bid = 1;
        insert into ${of('history')} values (${number}, ${tid}, 1, ${aid}, ${delta}, '2026-01-01')`
    }
  },
  changes: (rows) => 1 + TELLERS + ACCOUNTS + 4 * rows,
}
