import type { Pool } from 'pg'
import * as v from 'valibot'
import { captured } from '#adapters/connect/captured-tables.ts'
import { connectorConfiguration, PUBLICATION } from '#adapters/connect/connector-configuration.ts'
import { progressOf } from '#adapters/connect/connector-states.ts'
import { CONNECTOR, removeSlot, runConnector, stopConnector, type Within } from '#adapters/connect/running-connector.ts'
import { readSetting } from '#adapters/postgres/capture/recovery-facts.ts'
import {
  endArchiveRenewal,
  ensureProgress,
  orderEpoch,
  readAgain,
  rebaseProgress,
  restoreView,
} from '#adapters/postgres/capture/recovery-steps.ts'
import { currentEpoch, publishedTables, slotsBefore } from '#adapters/postgres/capture/replication.ts'
import { configureSource, newestGeneration } from '#adapters/postgres/capture/source-setting.ts'
import type { DatabaseCredentials, DatabaseTls } from '#adapters/postgres/session/connect.ts'
import { CONSUMERS } from '#core/fixed-names.ts'
import type { RecoveryStep } from '#core/recovery/recovery-plan.ts'
import type { CaptureWorld } from './read-facts.ts'

/** What steps need in addition. */
export type Recovering = CaptureWorld & {
  /** The address at which the connector reaches the source. */
  sourceAddress: () => Promise<Pick<DatabaseCredentials, 'host' | 'port' | 'dbname'>>
  databaseTls: DatabaseTls
  within: Within
}

/** Executes a step; executing it twice has the same effect as once. Throws an Error that says what did not happen. */
export async function executeStep(step: RecoveryStep, world: Recovering): Promise<void> {
  switch (step.kind) {
    case 'rewind':
      return rewind(step, world)
    case 'rebase':
      return rebaseProgress(world.target, step.consumer, step.topic, step.offsets)
    case 'release archive':
      return endArchiveRenewal(world.target)
    case 'enable mapping':
      return enableMapping(await findMapping(step, world), world)
    case 'restore views':
      for (const view of step.views) await restoreView(world.target, view)
      return
    case 'resync tables':
      for (const table of step.tables) await readAgain(world.source, table)
      return
    case 'restart task':
      return restart('failed', world)
    case 'restart connector':
      return restart('all', world)
    case 'register connector':
      return register(world)
    case 'new epoch':
      return beginEpoch(step, world)
  }
}

type Step<Kind extends RecoveryStep['kind']> = Extract<RecoveryStep, { kind: Kind }>

/**
 * Offsets of a group can only be set while the group has no member. So its mapping is disabled first, and is enabled
 * again in every case.
 */
async function rewind(step: Step<'rewind'>, world: Recovering): Promise<void> {
  const { mappings, within, openOffsets } = world
  const uuid = await findMapping(step, world)
  try {
    await mappings.enable(uuid, false)
    await within(`the event source mapping of ${step.group} is disabled`, async () => {
      const state = await mappings.state(uuid)
      return state === 'Disabled' ? { done: undefined } : { state }
    })
    const offsets = await openOffsets()
    try {
      await within(`the offsets of ${step.group} are set`, async () => {
        // A poller that has just left is still a member of the group for a while.
        try {
          return { done: await offsets.set(step.group, step.topic, step.offsets) }
        } catch (error) {
          return { state: (error as Error).message }
        }
      })
    } finally {
      await offsets.close()
    }
  } finally {
    await enableMapping(uuid, world)
  }
}

async function enableMapping(uuid: string, { mappings, within }: Recovering): Promise<void> {
  await mappings.enable(uuid, true)
  await within('the event source mapping is enabled', async () => {
    const state = await mappings.state(uuid)
    return state === 'Enabled' ? { done: undefined } : { state }
  })
}

async function findMapping({ group }: { group: string }, world: CaptureWorld): Promise<string> {
  const { mappings, applyFunction, archiveFunction, windowsFunction } = world
  const lists = await Promise.all([applyFunction, archiveFunction, windowsFunction].map((name) => mappings.list(name)))
  const found = lists.flat().find((mapping) => mapping.group === group)
  if (found === undefined) throw new Error(`no event source mapping has the consumer group ${group}: deploy the stack`)
  return found.uuid
}

async function restart(parts: 'all' | 'failed', { connect, within }: Recovering): Promise<void> {
  await connect.restart(CONNECTOR, parts)
  // At first Connect still reports the former status, so a failure counts only when the time is over.
  await within(`connector ${CONNECTOR} and its task run`, async () => {
    const progress = progressOf(await connect.status(CONNECTOR))
    if (progress.kind === 'running') return { done: undefined }
    return { state: progress.kind === 'failed' ? progress.reason : progress.state }
  })
}

/** Registers the connector with the epoch of the source. */
async function register({
  source,
  connect,
  changesTopic,
  sourceAddress,
  databaseTls,
  within,
}: Recovering): Promise<void> {
  const setting = await requireSetting(source)
  const { host, port, dbname: name } = await sourceAddress()
  const { topicPartitions } = setting
  const { epoch, readsBySignal } = await currentEpoch(source)
  const configuration = connectorConfiguration({
    ...{ epoch, topicPartitions, topic: changesTopic },
    captured: v.parse(captured, setting.captured),
    database: { host, port, name, tls: databaseTls },
    // When tables are read by signals, the initial snapshot reads none of them.
    published: readsBySignal ? [] : await publishedTables(source, PUBLICATION),
  })
  await runConnector(configuration, connect, within)
}

/**
 * The target gets the new epoch first, so that it applies nothing of earlier epochs any more. If this is interrupted at
 * any place, the same epoch is begun again, until a connector has it.
 */
async function beginEpoch(step: Step<'new epoch'>, world: Recovering): Promise<void> {
  const { source, target, connect, within } = world
  const setting = await requireSetting(source)
  if ((await connect.configuration(CONNECTOR)) !== undefined) await stopConnector(connect, within)
  const topicPartitions = step.topicPartitions ?? setting.topicPartitions
  if (step.topicIsNew) {
    const all = Array.from({ length: topicPartitions }, (_, topicPartition) => topicPartition)
    await ensureProgress(target, CONSUMERS.latestState, world.changesTopic, all)
  }
  await orderEpoch(target, step)
  const after = step.losses.map(({ topicPartition, to }) => ({ topicPartition, offset: to }))
  await rebaseProgress(target, CONSUMERS.latestState, world.changesTopic, after)
  await configureSource(source, {
    ...{ topicPartitions, captured: setting.captured, epoch: step.epoch },
    knownGeneration: await newestGeneration(target),
  })
  for (const slot of await slotsBefore(source, step.epoch)) await removeSlot(slot, source, within)
  await register(world)
}

async function requireSetting(source: Pool) {
  const setting = await readSetting(source)
  if (setting !== null) return setting
  throw new Error('the source has no tidemark.setting: deploy the stack again, which sets it up')
}
