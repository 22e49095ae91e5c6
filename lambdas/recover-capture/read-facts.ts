import type { Pool } from 'pg'
import type { EventSourceMappings } from '#adapters/aws/event-source-mappings.ts'
import type { ConnectApi, StoredOffset } from '#adapters/connect/connect-api.ts'
import { slotName, topicPrefix } from '#adapters/connect/connector-configuration.ts'
import { CONNECTOR } from '#adapters/connect/running-connector.ts'
import type { GroupOffsets } from '#adapters/kafka/group-offsets.ts'
import { readSetting, readSlot, readSourceFacts, readTargetFacts } from '#adapters/postgres/capture/recovery-facts.ts'
import { CONSUMERS } from '#core/fixed-names.ts'
import type {
  BrokerFacts,
  CaptureFacts,
  ConnectorFacts,
  GroupFacts,
  Seen,
  SourceFacts,
  TargetFacts,
} from '#core/recovery/capture-facts.ts'

/** The systems that a recovery reads and changes. */
export type CaptureWorld = {
  /** A pool of the source's administrator. */
  source: Pool
  /** A pool of the role tidemark_apply. */
  target: Pool
  connect: ConnectApi
  mappings: EventSourceMappings
  /** A connection to the brokers, which the caller closes. */
  openOffsets: () => Promise<GroupOffsets>
  changesTopic: string
  applyFunction: string
  archiveFunction: string
  windowsFunction: string
}

/** Reads all facts, in the order that CaptureFacts requires. Throws only when the target does not answer. */
export async function readFacts(world: CaptureWorld): Promise<CaptureFacts> {
  const { source, target, changesTopic } = world
  const before = await seen(async () => {
    const setting = await readSetting(source)
    return { setting, slot: setting && (await readSlot(source, slotName(setting.epoch))) }
  })
  const connector = await seen(() => readConnector(world.connect))
  let applied: TargetFacts | undefined
  const brokers = await seen(async () => {
    const offsets = await world.openOffsets()
    try {
      const groups = await readGroups(world, offsets)
      applied = await readTargetFacts(target)
      const topics = await offsets.ranges([...new Set(groups.map(({ topic }) => topic))])
      return { groups, topics } satisfies BrokerFacts
    } finally {
      await offsets.close()
    }
  })
  return {
    changesTopic,
    applyConsumer: CONSUMERS.latestState,
    connector,
    target: applied ?? (await readTargetFacts(target)),
    brokers,
    source:
      'error' in before
        ? before
        : await seen((): Promise<SourceFacts> => readSourceFacts(source, before.value.setting, before.value.slot)),
  }
}

async function readConnector(connect: ConnectApi): Promise<ConnectorFacts | undefined> {
  const configuration = await connect.configuration(CONNECTOR)
  if (configuration === undefined) return undefined
  const status = await connect.status(CONNECTOR)
  const epoch = epochOf(configuration['slot.name'])
  const offsets = await connect.offsets(CONNECTOR)
  return {
    epoch,
    ...(status === undefined
      ? { state: 'UNASSIGNED', tasks: [] }
      : { ...status.connector, tasks: status.tasks.map(({ id: _, ...task }) => task) }),
    storedLsn: epoch === null ? null : storedLsn(offsets, topicPrefix(epoch)),
  }
}

function epochOf(slot = ''): number | null {
  const epoch = Number(/^\D*(\d+)$/.exec(slot)?.[1])
  return Number.isSafeInteger(epoch) && slotName(epoch) === slot ? epoch : null
}

/**
 * Debezium stores the Lsn of the last record that it sent, of the last commit, and of the last change that it has fully
 * processed. The greatest one counts.
 */
function storedLsn(offsets: readonly StoredOffset[], prefix: string): number | null {
  const own = offsets.filter(({ partition }) => partition.server === prefix)
  const lsns = own.flatMap(({ offset }) => ['lsn', 'lsn_proc', 'lsn_commit'].map((name) => Number(offset[name])))
  const known = lsns.filter((lsn) => Number.isSafeInteger(lsn) && lsn > 0)
  return known.length === 0 ? null : Math.max(...known)
}

async function readGroups(world: CaptureWorld, offsets: GroupOffsets): Promise<GroupFacts[]> {
  const { mappings, changesTopic, applyFunction, archiveFunction, windowsFunction } = world
  const groups: GroupFacts[] = []
  for (const name of [applyFunction, archiveFunction, windowsFunction]) {
    for (const { uuid, topic, group } of await mappings.list(name)) {
      const state = await mappings.state(uuid)
      groups.push({
        group,
        topic,
        consumer: name === archiveFunction ? CONSUMERS.archive : group,
        // Windows begin with the first record that there is: what was before is in the rows.
        isContiguous: topic === changesTopic && name !== windowsFunction,
        isEnabled: !['Disabled', 'Disabling'].includes(state),
        committed: await offsets.committed(group, topic),
      })
    }
  }
  return groups
}

/** What was read, or the message of the error. */
async function seen<T>(look: () => Promise<T>): Promise<Seen<T>> {
  try {
    return { value: await look() }
  } catch (error) {
    return { error: (error as Error).message }
  }
}
