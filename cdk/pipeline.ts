// How are the constructs of the stack put together?

import { CfnOutput, Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { Archive } from './archive/archive.ts'
import { Capture } from './capture/capture.ts'
import { Recovery } from './capture/recovery.ts'
import type { Console } from './console/console.ts'
import { ConsoleLogins } from './console/console-logins.ts'
import type { FunctionBundles } from './function-bundle.ts'
import { Keys } from './keys.ts'
import { refuseSilentDrops } from './latest-state/delivery-rules.ts'
import { LatestState } from './latest-state/latest-state.ts'
import { Maintenance } from './maintenance/maintenance.ts'
import { Network } from './network/network.ts'
import type { DatabaseEndpoint } from './postgres-database.ts'
import { Producer } from './producer/producer.ts'
import { Schema } from './schema/schema.ts'
import { Source } from './source/source.ts'
import type { Stage } from './stages.ts'
import { Stream } from './stream/stream.ts'
import { Target } from './target/target.ts'
import type { DefinitionFile } from './windows/definition-files.ts'
import { FlinkWindows } from './windows/flink-windows.ts'
import { Windows } from './windows/windows.ts'

export type PipelineProps = {
  /** What the stage decides. */
  stage: Stage
  /** The code of the functions. */
  bundles: FunctionBundles
  /** The definitions of windows of the project. */
  definitions: readonly DefinitionFile[]
  /**
   * The construct of the console and the directory with the built page. They are loaded only for a stage that has a
   * console, because the modules which they need would delay every other synthesis.
   *
   * @default - the stage has no console
   */
  console?: { readonly Construct: typeof Console; readonly page: string }
}

/**
 * source Postgres ─▶ capture (Kafka Connect) ─▶ stream (Kafka) ─┬▶ latest state (function) ─▶ target Postgres
 *                                                                ├▶ archive (functions) ─▶ Iceberg table
 *                                                                └▶ windows (function) ─▶ target Postgres, topics
 */
export class Pipeline extends Stack {
  readonly #zones: string[]

  constructor(scope: Construct, { stage, bundles, definitions, console }: PipelineProps) {
    super(scope, `tidemark-${stage.name}`, {
      description: 'Keeps a second Postgres database continuously equal to a first one',
      env: { region: stage.region },
      terminationProtection: stage.keepsData,
    })
    this.#zones = stage.network.availabilityZones
    const { keepsData, databaseTls, logRetentionDays } = stage
    const keys = new Keys(this, 'Keys', { customerManaged: stage.customerManagedKeys, keepsData })
    const network = new Network(this, 'Network', stage.network)
    const { rows: rowsKey, credentials: credentialsKey } = keys
    const platform = { stage: stage.name, network, bundles, databaseTls, logRetentionDays }

    const source = new Source(this, 'Source', { settings: stage.source, network, keepsData, rowsKey, credentialsKey })
    const target = new Target(this, 'Target', { settings: stage.target, network, keepsData, rowsKey, credentialsKey })
    const stream = new Stream(this, 'Stream', { settings: stage.stream, platform, keepsData, rowsKey, credentialsKey })
    const consoleLogins =
      stage.console === 'off' ? undefined : new ConsoleLogins({ source, target, actions: stage.console.actions })
    const schema = new Schema(this, 'Schema', {
      platform,
      source,
      target,
      consoleLogins,
      captured: stage.capture.captured,
      epoch: stage.capture.epoch,
      topicPartitions: stage.stream.topicPartitions.changes,
    })
    const capture = new Capture(this, 'Capture', { settings: stage.capture, platform, stream, source, schema })
    const latestState = new LatestState(this, 'LatestState', {
      settings: stage.latestState,
      platform,
      stream,
      target,
      schema,
      capture,
    })
    const archive = new Archive(this, 'Archive', {
      settings: stage.archive,
      platform,
      stream,
      target,
      schema,
      keepsData,
      rowsKey,
    })
    const windows = new Windows(this, 'Windows', {
      settings: stage.windows,
      platform,
      stream,
      target,
      schema,
      capture,
      definitions,
    })
    for (const settings of stage.flinkWindows) {
      const { replicas } = stage.stream
      new FlinkWindows(this, `FlinkWindows-${settings.definition}`, { settings, platform, stream, replicas })
    }
    const recovery = new Recovery(this, 'Recovery', {
      platform,
      stream,
      source,
      target,
      schema,
      capture,
      consumers: { apply: latestState.apply, archive: archive.archive, windows: windows.maintain },
    })
    new Maintenance(this, 'Maintenance', { platform, target, schema })
    const producer = new Producer(this, 'Producer', { platform, stream, source })
    if (stage.console !== 'off' && consoleLogins !== undefined && console !== undefined) {
      const { captureTables } = schema
      const { url } = new console.Construct(this, 'Console', {
        settings: stage.console,
        platform,
        logins: consoleLogins,
        stream,
        source,
        target,
        capture,
        archive: archive.store,
        functions: {
          ...{ apply: latestState.apply, archive: archive.archive, windows: windows.maintain },
          ...{ captureTables, recover: recovery.recover },
        },
        page: console.page,
        keepsData,
      })
      this.#publish({ ConsoleUrl: url })
    }

    refuseSilentDrops(this)
    this.#publish({
      SourceEndpoint: address(source.database.endpoint),
      SourceAdminSecretArn: source.database.adminSecret.secretArn,
      TargetEndpoint: address(target.database.endpoint),
      TargetAdminSecretArn: target.database.adminSecret.secretArn,
      TargetReadSecretArn: target.readCredentials.secretArn,
      KafkaClusterArn: stream.clusterArn,
      ConnectUrl: capture.connect.url,
      ProducerFunction: producer.produce.functionName,
      ApplyLatestStateFunction: latestState.apply.functionName,
      ArchiveWarehouse: archive.store.variables.ARCHIVE_WAREHOUSE,
      ArchiveNamespace: archive.store.variables.ARCHIVE_NAMESPACE,
      CommitArchiveFunction: archive.commit.functionName,
      CaptureTablesFunction: schema.captureTables.functionName,
      MaintainWindowsFunction: windows.maintain.functionName,
      RecoverCaptureFunction: recovery.recover.functionName,
    })
  }

  /** The stage names the zones, because asking the account would need credentials at synthesis. */
  override get availabilityZones(): string[] {
    return this.#zones
  }

  #publish(outputs: Record<string, string>): void {
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value })
  }
}

const address = ({ host, port, database }: DatabaseEndpoint): string => `${host}:${port}/${database}`
