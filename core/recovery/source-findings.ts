import { epochName } from '../fixed-names.ts'
import { isOfBrokenLog } from '../keyless/beacon-log.ts'
import { formatLsn, type Lsn } from '../lsn.ts'
import type { CaptureFacts, ConnectorFacts, PlaceFacts, SlotFacts, SourceFacts, TargetFacts } from './capture-facts.ts'
import { epochFinding, type Finding, NOTHING_IS_CAPTURED, READERS_SEE_THE_LAST_STATE } from './finding.ts'

/**
 * Findings from the source's cluster, log, publication and slot. There is at most one: those that follow from it are
 * left out.
 */
export function sourceFindings({ source, connector, target, ...facts }: CaptureFacts): Finding[] {
  if ('error' in source) return [unreachable(source.error)]
  const applied = target.progress.filter(
    ({ consumer, topic }) => consumer === facts.applyConsumer && topic === facts.changesTopic,
  )
  const registered = 'value' in connector ? connector.value : undefined
  const { value } = source
  if (value.setting === null) return [notSetUp()]
  const found =
    anotherCluster(value, applied) ??
    wentBack(value, { applied, epochs: target.epochs }, registered, stopReason(target, applied)) ??
    withoutPublication(value) ??
    withoutPublicationBefore(value) ??
    unfinishedEpoch(value.setting.epoch, registered, target.epochs) ??
    lostSlot(value.setting.epoch, value.slot, registered)
  return found === undefined ? [] : [found]
}

function unreachable(error: string): Finding {
  return {
    cause: `the source is out of reach: ${error}`,
    follows: NOTHING_IS_CAPTURED,
    action: 'Capture goes on by itself once the source answers.',
    readers: READERS_SEE_THE_LAST_STATE,
    repair: null,
    stopsCapture: true,
  }
}

function notSetUp(): Finding {
  return {
    cause:
      'the source is not set up for capture: it has no tidemark.setting, so it is another database or was restored from a backup of an earlier time',
    follows: NOTHING_IS_CAPTURED,
    action:
      'Deploy the stack again, which sets the source up (on one machine, stop it and run npm start), then run npm run recover.',
    readers: READERS_SEE_THE_LAST_STATE,
    repair: { kind: 'by hand' },
    stopsCapture: true,
  }
}

function anotherCluster({ systemIdentifier }: SourceFacts, applied: readonly PlaceFacts[]): Finding | undefined {
  const other = applied.find((place) => place.systemIdentifier !== null && place.systemIdentifier !== systemIdentifier)
  if (other === undefined) return undefined
  return epochFinding({
    cause: `the source is another database cluster (system identifier ${systemIdentifier}) than the one that was captured (${other.systemIdentifier})`,
  })
}

/**
 * The reason of a stop that counts. A rebased topic partition goes on with whatever record comes next, so its stop does
 * not count.
 */
function stopReason({ stops }: TargetFacts, applied: readonly PlaceFacts[]): string | undefined {
  const rebased = applied.filter(({ isRebased }) => isRebased).map(({ topicPartition }) => topicPartition)
  return stops.find(({ topicPartition, reason }) => isOfBrokenLog(reason) && !rebased.includes(topicPartition))?.reason
}

/** The log position and the beacons of a database only grow, unless the database is restored to an earlier state. */
function wentBack(
  { currentLsn, timeline, beacon, setting }: SourceFacts,
  { applied, epochs }: { applied: readonly PlaceFacts[]; epochs: TargetFacts['epochs'] },
  connector: ConnectorFacts | undefined,
  stopped: string | undefined,
): Finding | undefined {
  const sign = signOfReturn({ currentLsn, beacon, setting }, applied, connector) ?? laterEpoch(setting, applied, epochs)
  if (sign === undefined) return stopped === undefined ? undefined : epochFinding({ cause: stopped })
  return epochFinding({
    cause: `the source was restored to an earlier state (timeline ${timeline}): ${sign}`,
    follows:
      'Changes that the source made after that state and has lost are still in the target. What it commits now does not arrive, or would arrive without some of the rows.',
  })
}

function signOfReturn(
  { currentLsn, beacon, setting }: Pick<SourceFacts, 'currentLsn' | 'beacon' | 'setting'>,
  applied: readonly PlaceFacts[],
  connector: ConnectorFacts | undefined,
): string | undefined {
  const sameEpoch = connector !== undefined && connector.epoch !== null
  if (sameEpoch && connector.storedLsn !== null && connector.storedLsn > currentLsn) {
    return `the connector has read its log up to ${formatLsn(connector.storedLsn)}, and the log ends at ${formatLsn(currentLsn)}`
  }
  for (const { beacon: newest } of applied) {
    if (newest === null || newest.epoch !== setting?.epoch) continue
    if (newest.lsn > currentLsn) {
      return `the target has applied a beacon of ${formatLsn(newest.lsn)}, and the log of the source ends at ${formatLsn(currentLsn)}`
    }
    if (beacon !== null && newest.number > beacon.number) {
      return `the target has applied beacon ${newest.number}, and the newest one of the source is ${beacon.number}`
    }
  }
  return undefined
}

/** Nothing of an epoch is applied once a later one has come. */
function laterEpoch(
  setting: SourceFacts['setting'],
  applied: readonly PlaceFacts[],
  epochs: TargetFacts['epochs'],
): string | undefined {
  const begun = epochs.filter(({ hasBegun }) => hasBegun).map(({ epoch }) => epoch)
  const newest = Math.max(0, ...applied.map(({ beacon }) => beacon?.epoch ?? 0), ...begun)
  if (setting === null || newest <= setting.epoch) return undefined
  return `the target has applied epoch ${newest}, and the source is in epoch ${setting.epoch}`
}

function withoutPublication({ hasPublication }: SourceFacts): Finding | undefined {
  if (hasPublication) return undefined
  return epochFinding({
    cause: 'the publication tidemark is gone from the source, so that the log since then cannot be decoded',
  })
}

/**
 * If the publication is dropped, the next run of capture-tables creates it again. Then the connector runs, but its
 * decoder fails for ever.
 */
function withoutPublicationBefore({ publicationLsn, slot }: SourceFacts): Finding | undefined {
  if (publicationLsn === null || slot === null || slot.active || slot.confirmedLsn === null) return undefined
  if (slot.confirmedLsn >= publicationLsn) return undefined
  return epochFinding({
    cause: `the publication tidemark was dropped, and created again at ${formatLsn(publicationLsn)}: the log between ${formatLsn(slot.confirmedLsn)}, where capture stopped, and that place cannot be decoded`,
  })
}

/** Finding for an epoch that was begun in the source or ordered in the target, but that the connector does not have. */
function unfinishedEpoch(
  epoch: number,
  connector: ConnectorFacts | undefined,
  ordered: CaptureFacts['target']['epochs'],
): Finding | undefined {
  if (connector === undefined || connector.epoch === null) return undefined
  const waiting = ordered.find((one) => !one.hasBegun && one.epoch > connector.epoch!)
  const newest = Math.max(epoch, waiting?.epoch ?? 0)
  if (newest <= connector.epoch) return undefined
  return epochFinding({
    cause: `epoch ${newest} was begun and not finished: the connector still has epoch ${connector.epoch}`,
  })
}

function lostSlot(epoch: number, slot: SlotFacts | null, connector: ConnectorFacts | undefined): Finding | undefined {
  const name = epochName(epoch)
  // Without stored offsets Debezium creates a slot and begins by itself.
  const storedLsn = connector?.storedLsn ?? null
  if (slot === null) {
    if (storedLsn === null) return undefined
    return epochFinding({
      cause: `the replication slot ${name} is gone, and with it the log that was not read yet`,
    })
  }
  if (slot.walStatus === 'lost' || slot.invalidationReason !== null) {
    return epochFinding({ cause: `the replication slot ${name} was invalidated: ${whyInvalid(slot)}` })
  }
  // A running task may have confirmed more than the stored offsets that were read, so the two are not compared.
  if (connector === undefined || isRunning(connector)) return undefined
  if (storedLsn === null || slot.confirmedLsn === null || slot.confirmedLsn <= storedLsn) return undefined
  return epochFinding({ cause: describeAhead(name, slot.confirmedLsn, storedLsn) })
}

const describeAhead = (name: string, confirmed: Lsn, stored: Lsn): string =>
  `the replication slot ${name} was advanced, or dropped and created again: it begins at ${formatLsn(confirmed)}, and capture has read up to ${formatLsn(stored)}, so that changes between are lost`

const REASONS: Readonly<Record<string, string>> = {
  wal_removed: 'the log that it kept grew over max_slot_wal_keep_size and was removed',
  idle_timeout: 'nobody read it for longer than idle_replication_slot_timeout',
  rows_removed: 'catalog rows that it needed were removed',
  wal_level_insufficient: 'wal_level was no longer logical',
}

function whyInvalid({ invalidationReason }: SlotFacts): string {
  if (invalidationReason === null) return 'the log that it needs was removed (max_slot_wal_keep_size)'
  return REASONS[invalidationReason] ?? invalidationReason
}

const isRunning = ({ state, tasks }: ConnectorFacts): boolean =>
  state === 'RUNNING' && tasks.length > 0 && tasks.every((task) => task.state === 'RUNNING')
