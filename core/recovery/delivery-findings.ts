import { type Gap, gapOf, isForeignTopic } from '../delivery.ts'
import { CONSUMERS } from '../fixed-names.ts'
import type { BrokerFacts, CaptureFacts, GroupFacts, TopicPartitionFacts } from './capture-facts.ts'
import {
  epochFinding,
  type Finding,
  type GroupStart,
  type Loss,
  type LossBetween,
  type PlaceOffset,
  READERS_SEE_THE_LAST_STATE,
} from './finding.ts'
import { RECOVER_ARCHIVE } from './stop-reasons.ts'

/** Findings from comparing topics, group offsets and the target's progress. */
export function deliveryFindings(facts: CaptureFacts): Finding[] {
  const { brokers } = facts
  if ('error' in brokers) {
    return [
      {
        cause: `the Kafka brokers are out of reach: ${brokers.error}`,
        follows: 'Changes are captured again once they answer; until then none arrives in the target.',
        action: 'Capture goes on by itself once they answer.',
        readers: READERS_SEE_THE_LAST_STATE,
        repair: null,
        stopsCapture: true,
      },
    ]
  }
  return [
    ...topicFindings(facts, brokers.value),
    ...renewalFindings(facts, brokers.value),
    ...brokers.value.groups
      .filter(({ consumer }) => consumer !== CONSUMERS.archive || facts.target.archiveRenewal === null)
      .flatMap((group) => groupFindings(facts, brokers.value, group)),
  ]
}

/** Findings while the archive begins again. Until it has begun, its progress and its groups are not compared. */
function renewalFindings({ target }: CaptureFacts, { groups, topics }: BrokerFacts): Finding[] {
  if (target.archiveRenewal === null) return []
  const starts = groups.filter(({ consumer }) => consumer === CONSUMERS.archive).map((group) => startOf(group, topics))
  const absent = starts.filter(({ offsets }) => offsets.length === 0).map(({ topic }) => topic)
  const wait = (action: string) => ({ action, repair: null })
  const next = () => {
    if (target.archiveRenewal === 'table') return wait(`Run ${RECOVER_ARCHIVE}, which goes on with it.`)
    if (starts.length === 0) return wait('It waits for its event source mappings: deploy the stack.')
    if (absent.length > 0)
      return wait(`It waits for the topic ${absent.join(', ')}, which does not exist: create it again.`)
    return {
      action:
        'Each of its consumer groups is set to the first record that its topic has, and everything from there on is archived.',
      repair: { kind: 'begin archive again', groups: starts } as const,
    }
  }
  const cause =
    target.archiveRenewal === 'table'
      ? 'the archive was about to begin again with a new table, and that was interrupted'
      : 'the archive begins again with a new table, and its consumer groups are not at the beginning of their topics yet'
  return [
    {
      cause,
      follows: 'Nothing is archived until it has begun.',
      readers: ARCHIVE_LACKS_RECORDS,
      stopsCapture: false,
      ...next(),
    },
  ]
}

const startOf = ({ consumer, group, topic }: GroupFacts, topics: BrokerFacts['topics']): GroupStart => ({
  ...{ consumer, group, topic },
  offsets: (topics.get(topic) ?? []).map(({ first }, topicPartition) => ({ topicPartition, offset: first })),
})

/**
 * Finding for a topic of changes that is gone, or that has another number of topic partitions than contracts and
 * beacons are written for.
 */
function topicFindings({ source, changesTopic }: CaptureFacts, { topics }: BrokerFacts): Finding[] {
  if ('error' in source || source.value.setting === null) return []
  const { topicPartitions } = source.value.setting
  const present = topics.get(changesTopic)?.length ?? 0
  if (present === 0) {
    return [
      {
        cause: `the topic ${changesTopic} is gone`,
        follows: 'Nothing can be captured until it exists again.',
        action: `Create it again with ${topicPartitions} topic partitions, then run npm run recover. A deployment creates it; on one machine, stop the stack and run npm start.`,
        readers: READERS_SEE_THE_LAST_STATE,
        repair: { kind: 'by hand' },
        stopsCapture: true,
      },
    ]
  }
  if (present === topicPartitions) return []
  return [
    epochFinding(
      {
        cause: `the topic ${changesTopic} has ${present} topic partitions, and capture was set up for ${topicPartitions}`,
        follows:
          'Changes of a key may come in another topic partition than before, so that their order is lost, and some topic partitions have no contracts.',
      },
      { topicIsNew: present < topicPartitions, topicPartitions: present },
    ),
  ]
}

type Place = {
  topicPartition: number
  nextOffset: number
  committed: number | null
  range: TopicPartitionFacts
  /**
   * Whether another log has replaced the one that was applied, so that its offsets cannot be compared with the
   * progress.
   */
  isAnotherLog: boolean
  /** The offsets that are missing before the record that is delivered again and again. */
  gap: Gap | undefined
}

function groupFindings(facts: CaptureFacts, { topics }: BrokerFacts, group: GroupFacts): Finding[] {
  const places = placesOf(facts, topics.get(group.topic) ?? [], group)
  const replaced = places.filter(({ isAnotherLog }) => isAnotherLog)
  const gone = places.filter(
    (place) => !place.isAnotherLog && place.range.first > place.nextOffset && mayHaveHad(place, group),
  )
  const skipped = places.filter(
    ({ isAnotherLog, range, nextOffset, committed }) =>
      !isAnotherLog && range.first <= nextOffset && committed !== null && committed > nextOffset,
  )
  const broken = places.filter(
    ({ isAnotherLog, range, nextOffset, committed, gap }) =>
      !isAnotherLog && range.first <= nextOffset && (committed ?? 0) <= nextOffset && gap?.from === nextOffset,
  )
  return [
    ...(group.isEnabled ? [] : [disabledMapping(group)]),
    ...(replaced.length > 0 ? [replacedTopic(facts, group, replaced)] : []),
    ...(gone.length > 0 ? [goneRecords(facts, group, gone)] : []),
    ...(broken.length > 0 ? [missingRecords(facts, group, broken)] : []),
    ...(skipped.length > 0 ? [skippedRecords(facts, group, skipped)] : []),
  ]
}

function placesOf({ target }: CaptureFacts, ranges: readonly TopicPartitionFacts[], group: GroupFacts): Place[] {
  const own = <T extends { consumer: string; topic: string }>({ consumer, topic }: T) =>
    consumer === group.consumer && topic === group.topic
  const progress = target.progress.filter(own)
  const stops = target.stops.filter(own)
  return ranges.flatMap((range, topicPartition) => {
    const at = ({ topicPartition: index }: { topicPartition: number }) => index === topicPartition
    const place = progress.find(at)
    if (place?.isRebased) return []
    const nextOffset = place?.nextOffset ?? 0
    const stop = stops.find(at)
    const isAnotherLog = nextOffset > range.end || isForeignTopic(stop?.reason ?? '')
    // A record that was refused once may have been delivered out of order, so a gap counts from the second refusal on.
    const gap = stop === undefined || stop.deliveries < 2 ? undefined : gapOf(stop.reason)
    const committed = group.committed[topicPartition] ?? null
    return [{ topicPartition, nextOffset, committed, range, isAnotherLog, gap }]
  })
}

/**
 * Whether the consumer may have lost the records that are gone. A consumer that never had a record of the topic
 * partition has lost them only when the topic's offsets have no gaps. Otherwise it begins with the first record that
 * exists.
 */
const mayHaveHad = ({ nextOffset }: Place, { isContiguous }: GroupFacts): boolean => isContiguous || nextOffset > 0

const isOfChanges = ({ changesTopic, applyConsumer }: CaptureFacts, { topic, consumer }: GroupFacts): boolean =>
  topic === changesTopic && consumer === applyConsumer

function replacedTopic(facts: CaptureFacts, group: GroupFacts, places: readonly Place[]): Finding {
  const names = places.map(({ topicPartition }) => topicPartition).join(', ')
  const cause = `the topic ${group.topic} was deleted and created again, or its log was replaced (topic partition ${names}): under the offsets that ${group.consumer} has had, it has other records or none`
  if (isOfChanges(facts, group)) return epochFinding({ cause }, { topicIsNew: true })
  if (group.consumer === CONSUMERS.archive) return archiveOfReplacedTopic(cause, group)
  return {
    cause,
    follows: `No record of ${group.topic} reaches ${group.consumer}. Records of the former topic that had not reached it are lost.`,
    action: `The consumer ${group.consumer} goes on at the beginning of the topic as it is now.`,
    readers: readersOf(group),
    repair: {
      kind: 'go on after a loss',
      consumer: group.consumer,
      group: group.group,
      topic: group.topic,
      losses: places.map(({ topicPartition, range }): Loss => ({ topicPartition, from: range.first, to: null })),
    },
    stopsCapture: false,
  }
}

/**
 * The archive table and its ledger identify a record by topic, topic partition and offset. In the new topic, another
 * record has that place.
 */
const archiveOfReplacedTopic = (cause: string, group: GroupFacts): Finding => ({
  cause,
  follows: `Nothing of ${group.topic} is archived: the archive table has other records under these offsets.`,
  action: `Run ${RECOVER_ARCHIVE}: it gives the archive table another name, under which it can be read, and begins a new one with every record that the topics have. If it finds nothing to do, no record of the new topic has come yet: run it again once one has.`,
  readers: readersOf(group),
  repair: null,
  stopsCapture: false,
})

const offsetsOf = (losses: readonly LossBetween[]): string =>
  losses.map(({ topicPartition, from, to }) => `${from} to ${to - 1} of topic partition ${topicPartition}`).join(', ')

function goneRecords(facts: CaptureFacts, group: GroupFacts, places: readonly Place[]): Finding {
  const losses = places.map(
    ({ topicPartition, nextOffset, range }): LossBetween => ({ topicPartition, from: nextOffset, to: range.first }),
  )
  const cause = `records of ${group.topic} expired before ${group.consumer} had them: offsets ${offsetsOf(losses)}`
  if (isOfChanges(facts, group)) return epochFinding({ cause }, { topicIsNew: true })
  return afterLoss(cause, group, losses)
}

/**
 * The topic has records before and after the missing ones, and the consumer group is not behind them, so they cannot be
 * delivered any more.
 */
function missingRecords(facts: CaptureFacts, group: GroupFacts, places: readonly Place[]): Finding {
  const losses = places.map(({ topicPartition, gap }): LossBetween => ({ topicPartition, ...gap! }))
  const cause = `records are missing in the middle of ${group.topic}: offsets ${offsetsOf(losses)} were lost by the brokers, or deleted, before ${group.consumer} had them`
  if (isOfChanges(facts, group)) return epochFinding({ cause }, { losses })
  return afterLoss(cause, group, losses)
}

function afterLoss(cause: string, group: GroupFacts, losses: readonly Loss[]): Finding {
  return {
    cause,
    follows: `These records never reach ${group.consumer}. Until it goes on, no later record reaches it either.`,
    action: `The consumer ${group.consumer} goes on after them, at the first record that there is.`,
    readers: readersOf(group),
    repair: { kind: 'go on after a loss', consumer: group.consumer, group: group.group, topic: group.topic, losses },
    stopsCapture: false,
  }
}

function skippedRecords(facts: CaptureFacts, group: GroupFacts, places: readonly Place[]): Finding {
  const named = places.map(
    ({ topicPartition, nextOffset, committed }) =>
      `${committed} of topic partition ${topicPartition} instead of ${nextOffset}`,
  )
  return {
    cause: `the consumer group ${group.group} goes on at offset ${named.join(', ')}: its offsets were set forward, or the target was restored from an older backup or replaced`,
    follows: `The records between are in the topic and have not reached ${group.consumer}, which accepts no later record.`,
    action: `The offsets of the group are set back to what the target has, and the records between are applied.`,
    readers: readersOf(group),
    repair: {
      kind: 'rewind',
      group: group.group,
      topic: group.topic,
      offsets: places.map(({ topicPartition, nextOffset }): PlaceOffset => ({ topicPartition, offset: nextOffset })),
    },
    stopsCapture: isOfChanges(facts, group),
  }
}

function disabledMapping(facts: GroupFacts): Finding {
  const { group, consumer, topic } = facts
  return {
    cause: `the event source mapping of the consumer group ${group} is disabled: somebody disabled it, or a recovery was interrupted`,
    follows: `No record of ${topic} reaches ${consumer}.`,
    action: 'The mapping is enabled, and goes on where it stopped.',
    readers: readersOf(facts),
    repair: { kind: 'enable mapping', group, topic },
    stopsCapture: false,
  }
}

/** Records that are missing in the archive, or in windows, are in the target, so readers of its tables notice nothing. */
const readersOf = ({ consumer }: GroupFacts): string => {
  if (consumer === CONSUMERS.archive) return ARCHIVE_LACKS_RECORDS
  return consumer === CONSUMERS.windows ? WINDOWS_LACK_CHANGES : READERS_SEE_THE_LAST_STATE
}

const ARCHIVE_LACKS_RECORDS = 'Readers of the target notice nothing; the archive lacks records.'
const WINDOWS_LACK_CHANGES = 'Readers of tables notice nothing; windows are as they were.'
