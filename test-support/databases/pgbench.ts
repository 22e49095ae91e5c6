import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'

// The statements of PostgreSQL 17's pgbench. The embedded Postgres does not include that program.

/** Rows of pgbench's tables at a scale. */
const rowsAt = (scale: number) => ({ branches: scale, tellers: 10 * scale, accounts: 100_000 * scale })

/** Initialises as `pgbench -i -s scale` does, step by step: drop, create, truncate and copy, vacuum, primary keys. */
export async function initialisePgbench(url: string, scale: number): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers')
    const tables = [
      'create table pgbench_history(tid int,bid int,aid int,delta int,mtime timestamp,filler char(22))',
      'create table pgbench_tellers(tid int not null,bid int,tbalance int,filler char(84)) with (fillfactor=100)',
      'create table pgbench_accounts(aid int not null,bid int,abalance int,filler char(84)) with (fillfactor=100)',
      'create table pgbench_branches(bid int not null,bbalance int,filler char(88)) with (fillfactor=100)',
    ]
    for (const table of tables) await client.query(table)
    await client.query('begin')
    await client.query('truncate table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers')
    const { branches, tellers, accounts } = rowsAt(scale)
    await copy(client, 'pgbench_branches', branches, (n) => `${n}\t0\t\\N\n`)
    await copy(client, 'pgbench_tellers', tellers, (n) => `${n}\t${Math.ceil(n / 10)}\t0\t\\N\n`)
    await copy(client, 'pgbench_accounts', accounts, (n) => `${n}\t${Math.ceil(n / 100_000)}\t0\t\n`)
    await client.query('commit')
    for (const table of ['branches', 'tellers', 'accounts', 'history']) {
      await client.query(`vacuum analyze pgbench_${table}`)
    }
    await client.query('alter table pgbench_branches add primary key (bid)')
    await client.query('alter table pgbench_tellers add primary key (tid)')
    await client.query('alter table pgbench_accounts add primary key (aid)')
  })
}

/**
 * Runs the TPC-B-like script of `pgbench -c clients` until the signal. Returns how many transactions were committed.
 */
export async function runPgbench(url: string, clients: number, scale: number, signal: AbortSignal): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: clients }, () => withClient(url, (client) => runClient(client, scale, signal))),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

async function runClient(client: pg.Client, scale: number, signal: AbortSignal): Promise<number> {
  const { branches, tellers, accounts } = rowsAt(scale)
  const one = (of: number) => 1 + Math.floor(Math.random() * of)
  let committed = 0
  for (; !signal.aborted; committed++) {
    const [aid, bid, tid, delta] = [one(accounts), one(branches), one(tellers), one(10_001) - 5_001]
    await client.query('begin')
    await client.query(`update pgbench_accounts set abalance = abalance + ${delta} where aid = ${aid}`)
    await client.query(`select abalance from pgbench_accounts where aid = ${aid}`)
    await client.query(`update pgbench_tellers set tbalance = tbalance + ${delta} where tid = ${tid}`)
    await client.query(`update pgbench_branches set bbalance = bbalance + ${delta} where bid = ${bid}`)
    await client.query(
      `insert into pgbench_history (tid, bid, aid, delta, mtime) values (${tid}, ${bid}, ${aid}, ${delta}, current_timestamp)`,
    )
    await client.query('end')
  }
  return committed
}

async function copy(client: pg.Client, table: string, rows: number, line: (n: number) => string): Promise<void> {
  const stream = client.query(copyFrom(`copy ${table} from stdin`))
  const done = new Promise((resolve, reject) => stream.on('finish', resolve).on('error', reject))
  for (let n = 1; n <= rows; n += 5_000) {
    const some = Array.from({ length: Math.min(5_000, rows - n + 1) }, (_, index) => line(n + index)).join('')
    if (!stream.write(some)) await new Promise((resolve) => stream.once('drain', resolve))
  }
  stream.end()
  await done
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
