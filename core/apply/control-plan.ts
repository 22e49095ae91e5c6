// What do the records of Tidemark's own tables do: contracts and beacons?

import type { TableContract } from '../contract.ts'
import { tablesRead, withReadSnapshot } from '../keyless/keyless-writes.ts'
import type { Position } from '../position.ts'
import { TableRegister, tableName } from '../tables/table-register.ts'
import type { Beacon, Incoming, ReadBeacon } from '../wire/change.ts'
import { type BatchUnderway, stopKey, stopOf, stopOfContract } from './batch-underway.ts'

/**
 * Only a streamed beacon is a watermark. A beacon that the initial snapshot reads comes before the rows that it reads.
 */
export function takeBeacon(batch: BatchUnderway, offset: number, beacon: Beacon): void {
  const { ledger } = batch.keyless
  const reason = wrongSlot(batch, beacon.slot) ?? ledger.impossibleBeacon(beacon)
  if (reason !== undefined) {
    batch.quarantine(offset, reason, 'tidemark.beacon')
    return
  }
  ledger.meetEpoch(beacon.epoch)
  const broken = ledger.brokenLog(beacon)
  if (broken !== undefined) batch.refused ??= { offset, reason: broken }
  ledger.beacon(beacon)
  batch.awaitsCapture ||= beacon.contractsMissing
  const newest = batch.beacon
  const isNewer = newest === undefined || (beacon.epoch - newest.epoch || beacon.number - newest.number) > 0
  if (isNewer) batch.beacon = beacon
}

function wrongSlot(batch: BatchUnderway, slot: number): string | undefined {
  const { topicPartition } = batch.known
  if (slot === topicPartition) return undefined
  return `it is of slot ${slot} but came on topic partition ${topicPartition}: the number of topic partitions may have been changed`
}

export function takeReadBeacon(batch: BatchUnderway, offset: number, position: Position, beacon: ReadBeacon): void {
  const { ledger } = batch.keyless
  const reason = wrongSlot(batch, beacon.slot)
  if (reason !== undefined) {
    batch.quarantine(offset, reason, 'tidemark.beacon')
    return
  }
  ledger.meetEpoch(beacon.epoch)
  if (beacon.snapshotOf === null && ledger.hasStreamed(beacon.epoch)) {
    beginAgain(batch)
    return
  }
  if (beacon.snapshotOf === null) noteInitialRead(batch, position)
  else ledger.noteReadBySignal(beacon.epoch)
  if (beacon.readSnapshot === null || !ledger.isHere(beacon.epoch)) return
  for (const table of tablesRead(batch.register, beacon)) {
    const { relation, generation } = table.contract
    if (batch.isStopped(relation, generation, tableName(table.contract))) {
      // Its quarantined changes are part of the snapshot that begins here, so applying them as well would count them
      // twice.
      batch.collected.stops.push({ ...stopOf(table), reason: 'it was stopped when the snapshot of its rows came' })
      continue
    }
    batch.keyless = withReadSnapshot(batch.keyless, table, beacon.readSnapshot)
    batch.openWrites(table, true, beacon.readSnapshot)
  }
}

/**
 * Stops every table, because capture has lost its stored offsets. Capture begins again with an initial snapshot, and
 * then streams from the place of that snapshot. The snapshot reads only what was captured when the epoch began, and the
 * changes in between are missing, so every table has to be read again.
 */
function beginAgain(batch: BatchUnderway): void {
  batch.keyless.ledger.beginAgain()
  const reason = 'capture lost its place and began again: changes may be missing'
  for (const table of batch.register.applied()) {
    const { relation, generation } = table.contract
    batch.stopped.set(stopKey(relation, generation, tableName(table.contract)), reason)
    // A table that was stopped for another reason is stopped for this one as well. Otherwise it could be accepted.
    batch.collected.stops.push({ ...stopOf(table), reason, automatic: true })
  }
}

function noteInitialRead(batch: BatchUnderway, position: Position): void {
  if (batch.keyless.ledger.hasStreamed(position.epoch)) return
  if (position.lsn > (batch.collected.initialReads.at(-1)?.lsn ?? 0)) batch.collected.initialReads.push(position)
}

/**
 * Quarantines a record of Tidemark's own tables that the source cannot have written. If it names a known relation, the
 * table of that relation is stopped, because it may lack a contract.
 */
export function takeImpossible(
  batch: BatchUnderway,
  offset: number,
  { table, reason, relation }: Extract<Incoming, { kind: 'impossible' }>,
): void {
  batch.quarantine(offset, reason, `tidemark.${table}`)
  const known = relation === null ? undefined : batch.register.contractOf(relation)
  if (known === undefined || known.contract.dropped) return
  batch.markStopped({ ...stopOfContract(known.contract), reason: `a contract of it cannot be read: ${reason}` })
}

export function takeSentContract(
  batch: BatchUnderway,
  offset: number,
  sent: Extract<Incoming, { kind: 'contract' }>,
): void {
  const { slot, position, contract } = sent
  const reason = wrongSlot(batch, slot) ?? batch.register.impossibleContract(contract, position)
  if (reason !== undefined) {
    takeImpossible(batch, offset, { kind: 'impossible', table: 'table_contract', reason, relation: contract.relation })
    return
  }
  // The epoch of a snapshot is noted in tidemark.epoch, so that a diagnosis finds an epoch which the source does not
  // have.
  if (position.phase === 0) batch.keyless.ledger.meetEpoch(position.epoch)
  takeContract(batch, offset, position, contract)
}

export function takeContract(batch: BatchUnderway, offset: number, position: Position, contract: TableContract): void {
  if (position.phase === 0) noteInitialRead(batch, position)
  const kept = { offset, position, contract }
  batch.collected.contracts.push(kept)
  if (batch.register === batch.known.register) batch.register = new TableRegister(batch.register)
  const effect = batch.register.enter(contract, position)
  const stopped = batch.isStopped(contract.relation, contract.generation, tableName(contract))
  if (effect.kind === 'shape' && !stopped) batch.collected.shapes.push(kept)
  if (contract.dropped || (contract.complete && !stopped)) batch.collected.finalizations.push(contract)
  if (effect.kind === 'drop') batch.collected.drops.push(contract)
  if (effect.kind === 'stop') batch.markStopped({ ...stopOfContract(contract), reason: effect.reason })
  if (!contract.published && contract.refusal === null && !contract.dropped) batch.awaitsCapture = true
}
