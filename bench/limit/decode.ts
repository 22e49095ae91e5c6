import { type ChangeRecord, planBatch } from '#core/apply/batch-plan.ts'
import { KeylessLedger } from '#core/keyless/keyless-ledger.ts'
import type { KeylessProgress } from '#core/keyless/keyless-writes.ts'
import { TableRegister } from '#core/tables/table-register.ts'
import { ChangeLog, columnContract, ordersContract } from '#test-support/changes/change-log.ts'

/** How many changes were read, decoded and reduced to one write per row, and the rate per second of one core. */
export type DecodeResult = { readonly changes: number; readonly perCoreSecond: number }

/** Records of one delivery. */
const BATCH = 10_000
/** After this many runs the code is compiled. */
const WARM_UP = 5
const RUNS = 20

/**
 * Measures what happens between a delivery and the first statement: JSON, values, keys, one write per row. The table
 * has eight columns. Three quarters of its changes are updates, and there are a quarter as many rows as changes.
 */
export function measureDecoding(): DecodeResult {
  const contract = ordersContract({
    columns: [
      columnContract(1, 'id', 'bigint', { key: 1, nullable: false }),
      columnContract(2, 'name', 'text'),
      columnContract(3, 'note', 'text'),
      columnContract(4, 'amount', 'numeric(12,2)'),
      columnContract(5, 'changed_at', 'timestamp with time zone'),
      columnContract(6, 'paid', 'boolean'),
      columnContract(7, 'quantity', 'integer'),
      columnContract(8, 'token', 'uuid'),
    ],
  })
  const settings = { topicPartition: 0, isStopped: () => false, isLogged: () => false }
  const before = { ...settings, register: new TableRegister(), keyless: noneKeyless(), fence: undefined }
  const known = { ...settings, ...planBatch(new ChangeLog().contract(contract).records, before).next }
  const records = changes()
  for (let run = 0; run < WARM_UP; run++) planBatch(records, known)
  // Processor time is measured, because other programs may use the machine meanwhile.
  const usedBefore = process.cpuUsage()
  for (let run = 0; run < RUNS; run++) {
    const plan = planBatch(records, known)
    if (plan.changes !== BATCH) throw new Error(`${plan.changes} of ${BATCH} changes were applied`)
  }
  const { user, system } = process.cpuUsage(usedBefore)
  const seconds = (user + system) / 1e6
  return { changes: BATCH * RUNS, perCoreSecond: Math.round((BATCH * RUNS) / seconds) }
}

/** Changes in Debezium's format, some 750 characters each. */
function changes(): ChangeRecord[] {
  return Array.from({ length: BATCH }, (_, i) => {
    const id = 1_000_000_000 + (i % (BATCH / 4))
    const after = {
      id,
      name: `customer ${id}`,
      note: `${i} deliveries "on time", thanks`,
      amount: `${i}.25`,
      changed_at: `2024-02-29T23:59:59.${String(i).padStart(6, '0')}Z`,
      paid: i % 3 === 0,
      quantity: i % 100,
      token: `a0eebc99-9c0b-4ef8-bb6d-${String(i).padStart(12, '0')}`,
    }
    return { offset: i, value: envelope(i < BATCH / 4 ? 'c' : 'u', after, 26_000_000 + i) }
  })
}

function envelope(op: 'c' | 'u', after: object, lsn: number): string {
  const source = {
    ...{ version: '3.7.0.Final', connector: 'postgresql', name: 'tidemark_e1', ts_ms: 1_700_000_000_000 },
    ...{ snapshot: 'false', db: 'source', sequence: `["${lsn}","${lsn}"]`, ts_us: 1_700_000_000_000_000 },
    ...{ ts_ns: 'nanoseconds', schema: 'public', table: 'orders', txId: 4711, lsn, xmin: null },
  }
  const times = { ts_ms: 1_700_000_000_001, ts_us: 1_700_000_000_001_234, ts_ns: 'nanoseconds' }
  const text = JSON.stringify({ before: null, after, source, transaction: null, op, ...times })
  // The value has more digits than a number of JavaScript can hold.
  return text.replaceAll('"nanoseconds"', '1700000000000000000')
}

const noneKeyless = (): KeylessProgress => ({ ledger: new KeylessLedger(), readSnapshots: new Map() })
