import type { TableContract } from '../contract.ts'
import type { Beacon } from '../envelope.ts'
import type { KeylessProgress, KeylessWrites } from '../keyless/keyless-writes.ts'
import { type AppliedTable, type Lookup, type TableRegister, tableName } from '../tables/table-register.ts'
import type { HistoryRule, StopRule } from '../tables/table-settings.ts'
import type { Collected, TableStop } from './batch-steps.ts'
import { ChangeFence, type FenceState } from './change-fence.ts'
import type { KnownSource } from './known-source.ts'

/** What is known of a topic partition at one place of it. Planning changes none of it. */
export type PartitionState = {
  readonly register: TableRegister
  readonly keyless: KeylessProgress
  /** Without one, no streamed change is new for certain: history looks each up. */
  readonly fence: FenceState | undefined
}

/** What is known before the records. */
export type Known = PartitionState & {
  /** Number of the topic partition, which is the slot of its contracts and beacons. */
  readonly topicPartition: number
  /** Records of earlier epochs are skipped. */
  readonly skipsBeforeEpoch?: number | undefined
  /** Where records came from so far; without it any source will do. */
  readonly source?: KnownSource | undefined
  /** Whether a table's changes are quarantined. */
  readonly isStopped: StopRule
  /** Whether a table's changes are kept in history. */
  readonly isLogged: HistoryRule
}

/** What is known and what has been collected while the records of a batch are taken. */
export class BatchUnderway {
  readonly collected: Collected
  readonly known: Known
  /** A copy of the one that is known once a contract has come: most batches have none. */
  register: TableRegister
  /** Its ledger is a copy of the one that is known. */
  keyless: KeylessProgress
  readonly fence: ChangeFence | undefined
  /** Why, by table. */
  readonly stopped = new Map<string, string>()
  beacon: Beacon | undefined
  refused: { readonly offset: number; readonly reason: string } | undefined
  awaitsCapture = false
  readonly #openKeyless = new Map<AppliedTable, KeylessWrites>()

  constructor(known: Known, segments: Collected['segments']) {
    this.known = known
    this.register = known.register
    this.keyless = { ...known.keyless, ledger: known.keyless.ledger.copy() }
    this.fence = known.fence && new ChangeFence(known.fence)
    this.collected = {
      contracts: [],
      shapes: [],
      truncates: [],
      segments,
      keyless: [],
      drops: [],
      settles: [],
      audits: [],
      stops: [],
      quarantined: [],
      initialReads: [],
    }
  }

  /** Keeps a record that is about no table. */
  keep(offset: number, reason: string, tableName: string | null = null): void {
    this.collected.quarantined.push({ offset, relation: 0, generation: 0, tableName, reason })
  }

  stop(offset: number, stop: TableStop): void {
    this.markStopped(stop)
    const { relation, generation, reason } = stop
    this.collected.quarantined.push({ offset, relation, generation, tableName: tableName(stop), reason })
  }

  isStopped(relation: number, generation: number, name: string): boolean {
    return this.stopped.has(stopKey(relation, generation, name)) || this.known.isStopped(relation, generation, name)
  }

  markStopped(stop: TableStop): void {
    if (this.isStopped(stop.relation, stop.generation, tableName(stop))) return
    this.stopped.set(stopKey(stop.relation, stop.generation, tableName(stop)), stop.reason)
    this.collected.stops.push(stop)
  }

  /** What the batch does to a table without a key, from here on or since it was opened. */
  keylessWrites(table: AppliedTable): KeylessWrites {
    return this.#openKeyless.get(table) ?? this.openWrites(table)
  }

  openWrites(table: AppliedTable, cleared = false, readSnapshot?: string): KeylessWrites {
    const writes = { table, cleared, readSnapshot, changes: [], logged: this.known.isLogged(table.contract) }
    this.collected.keyless.push(writes)
    this.#openKeyless.set(table, writes)
    return writes
  }
}

export const stopKey = (relation: number, generation: number, name: string): string =>
  relation === 0 ? name : `${relation} ${generation}`

export const stopOf = ({ contract }: AppliedTable) => stopOfContract(contract)

export const stopOfContract = ({ relation, generation, schema, table }: TableContract) =>
  ({ relation, generation, schema, table, repair: 'resync', automatic: false }) as const

export function stopOfName({ schema, table }: { schema: string; table: string }, found: Lookup) {
  const { relation, generation } = found.kind === 'refused' ? found : { relation: 0, generation: 0 }
  return { relation, generation, schema, table, repair: 'resync', automatic: false } as const
}
