// What has the plan of a batch collected so far, and which tables has it stopped?

import type { TableContract } from '../contract.ts'
import type { KeylessProgress, KeylessWrites } from '../keyless/keyless-writes.ts'
import { type AppliedTable, type Lookup, type TableRegister, tableName } from '../tables/table-register.ts'
import type { HistoryRule, StopRule } from '../tables/table-settings.ts'
import type { Beacon } from '../wire/change.ts'
import type { Collected, TableStop } from './batch-steps.ts'
import { ChangeFence, type FenceState } from './change-fence.ts'
import type { KnownSource } from './known-source.ts'

/** What is known of a topic partition at one of its offsets. Planning does not change it. */
export type PartitionState = {
  readonly register: TableRegister
  readonly keyless: KeylessProgress
  /** Undefined: no streamed change is known to be new, so history looks up each of them. */
  readonly fence: FenceState | undefined
}

/** What is known before the first record of the batch. */
export type Known = PartitionState & {
  /** Number of the topic partition, which is also the slot of its contracts and beacons. */
  readonly topicPartition: number
  /** Records of epochs before this one are skipped. */
  readonly skipsBeforeEpoch?: number | undefined
  /** The source that records came from so far. Without it, records of any source are accepted. */
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
  /**
   * It is copied when a contract comes, so that `known` does not change. Most batches have no contract and need no
   * copy.
   */
  register: TableRegister
  /** Its ledger is a copy, so that `known` does not change. */
  keyless: KeylessProgress
  readonly fence: ChangeFence | undefined
  /** By table, the reason why this batch stopped it. */
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
      finalizations: [],
      audits: [],
      stops: [],
      quarantined: [],
      initialReads: [],
    }
  }

  /** Quarantines a record that belongs to no table. */
  quarantine(offset: number, reason: string, tableName: string | null = null): void {
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

  /** What the batch does to a keyless table from here on, or since its writes were opened. */
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
