import type { TableContract } from '../contract.ts'
import type { Beacon, Incoming, ReadBeacon } from '../envelope.ts'
import { tablesRead, withReading } from '../keyless/keyless-writes.ts'
import type { Position } from '../position.ts'
import { TableRegister, tableName } from '../tables/table-register.ts'
import { type BatchUnderway, stopKey, stopOf, stopOfContract } from './batch-underway.ts'

/** Only a streamed beacon is a watermark: rows read by the initial snapshot follow the beacon that it reads. */
export function takeBeacon(batch: BatchUnderway, offset: number, beacon: Beacon): void {
  const { ledger } = batch.keyless
  const reason = wrongSlot(batch, beacon.slot) ?? ledger.impossibleBeacon(beacon)
  if (reason !== undefined) {
    batch.keep(offset, reason, 'tidemark.beacon')
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
  return `it is of slot ${slot} but came on topic partition ${topicPartition}: was the number of topic partitions changed?`
}

export function takeReadBeacon(batch: BatchUnderway, offset: number, position: Position, beacon: ReadBeacon): void {
  const { ledger } = batch.keyless
  const reason = wrongSlot(batch, beacon.slot)
  if (reason !== undefined) {
    batch.keep(offset, reason, 'tidemark.beacon')
    return
  }
  ledger.meetEpoch(beacon.epoch)
  if (beacon.reading === null && ledger.hasStreamed(beacon.epoch)) {
    beginAgain(batch)
    return
  }
  if (beacon.reading === null) noteInitialRead(batch, position)
  else ledger.noteReadBySignal(beacon.epoch)
  if (beacon.readSnapshot === null || !ledger.isHere(beacon.epoch)) return
  for (const table of tablesRead(batch.register, beacon)) {
    const { relation, generation } = table.contract
    if (batch.isStopped(relation, generation, tableName(table.contract))) {
      // What was kept of it is part of what is read from here on: applied as well it would count twice.
      batch.collected.stops.push({ ...stopOf(table), reason: 'it was stopped when its rows were read' })
      continue
    }
    batch.keyless = withReading(batch.keyless, table, beacon.readSnapshot)
    batch.openWrites(table, true, beacon.readSnapshot)
  }
}

/**
 * Capture does not know any more how far it came. It streams on from where its initial reading begins again, which
 * reads what was captured when the epoch began: what changed between is missing, and every table has to be read again.
 */
function beginAgain(batch: BatchUnderway): void {
  batch.keyless.ledger.beginAgain()
  const reason = 'capture lost its place and began again: changes may be missing'
  for (const table of batch.register.applied()) {
    const { relation, generation } = table.contract
    batch.stopped.set(stopKey(relation, generation, tableName(table.contract)), reason)
    // One that is stopped for something else could be accepted otherwise.
    batch.collected.stops.push({ ...stopOf(table), reason, automatic: true })
  }
}

function noteInitialRead(batch: BatchUnderway, position: Position): void {
  if (batch.keyless.ledger.hasStreamed(position.epoch)) return
  if (position.lsn > (batch.collected.initialReads.at(-1)?.lsn ?? 0)) batch.collected.initialReads.push(position)
}

/** A record of Tidemark's own tables that the source cannot have written says nothing, but its table may lack one. */
export function takeImpossible(
  batch: BatchUnderway,
  offset: number,
  { table, reason, relation }: Extract<Incoming, { kind: 'impossible' }>,
): void {
  batch.keep(offset, reason, `tidemark.${table}`)
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
  // What is read is noted in tidemark.epoch: an epoch that the source does not have is then found by a diagnosis.
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
  if (contract.dropped || (contract.complete && !stopped)) batch.collected.settles.push(contract)
  if (effect.kind === 'drop') batch.collected.drops.push(contract)
  if (effect.kind === 'stop') batch.markStopped({ ...stopOfContract(contract), reason: effect.reason })
  if (!contract.published && contract.refusal === null && !contract.dropped) batch.awaitsCapture = true
}
