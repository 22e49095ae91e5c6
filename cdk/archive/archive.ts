import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import type * as kms from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import type { ArchiveChangesEnvironment } from '#lambdas/archive-changes/environment.ts'
import type { CommitArchiveEnvironment } from '#lambdas/commit-archive/environment.ts'
import type { MaintainArchiveEnvironment } from '#lambdas/maintain-archive/environment.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Schema } from '../schema/schema.ts'
import type { Stream } from '../stream/stream.ts'
import { deliverTopic, type PollerSettings } from '../stream/topic-delivery.ts'
import type { Target } from '../target/target.ts'
import { type ArchiveCatalog, ArchiveStore, type Maintainer } from './archive-store.ts'

export type ArchiveSettings = {
  /** Where the table is registered: S3 Tables, or Glue over a bucket. */
  catalog: ArchiveCatalog
  /** What keeps the metadata small: the function maintain-archive, or the catalog. */
  maintainedBy: Maintainer
  /** Memory of the function; its processors grow with it. */
  memoryMiB: number
  /** Seconds after which an invocation is ended. */
  timeoutSeconds: number
  /** The most batches in flight at once. This concurrency is reserved for the function, from the account's quota. */
  concurrency: number
  /** How long records may be gathered for a batch. With a longer time, the files that are joined later are larger. */
  windowSeconds: number
  /** The fewest and the most pollers of each topic. */
  pollers: PollerSettings
  /** Waiting files are committed after this time or at this size, and by the schedule each minute. */
  commit: { afterSeconds: number; afterMiB: number }
}

export type ArchiveProps = {
  /** What the stage decides about the archive. */
  settings: ArchiveSettings
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The brokers and topics. */
  stream: Stream
  /** The database that is kept equal. */
  target: Target
  /** What is installed in both databases. Resources that need it are created after it. */
  schema: Schema
  /** Whether resources that hold data stay when the stack is deleted. */
  keepsData: boolean
  /**
   * Key that encrypts rows at rest.
   *
   * @default - a key of AWS
   */
  rowsKey: kms.IKey | undefined
}

/** Archives every record of the topics in an Iceberg table, each once. */
export class Archive extends Construct {
  readonly store: ArchiveStore
  readonly archive: PipelineFunction
  readonly commit: PipelineFunction

  constructor(scope: Construct, id: string, props: ArchiveProps) {
    super(scope, id)
    const { settings, platform, stream, schema, keepsData, rowsKey } = props
    this.store = new ArchiveStore(this, 'Store', {
      stage: platform.stage,
      catalog: settings.catalog,
      maintainedBy: settings.maintainedBy,
      network: platform.network,
      keepsData,
      rowsKey,
    })
    this.commit = this.#commitArchive(props)
    this.archive = this.#archiveChanges(props)
    if (settings.maintainedBy === 'function') this.#maintainArchive(props)
    for (const [name, topic] of Object.entries(stream.topics)) {
      const mapping = deliverTopic(this, name === 'changes' ? 'Changes' : 'UserEvents', {
        platform,
        stream,
        topic,
        target: this.archive,
        consumerGroup: `tidemark-archive-${topic}`,
        windowSeconds: settings.windowSeconds,
        pollers: settings.pollers,
      })
      mapping.node.addDependency(stream, schema, this.store)
    }
    this.#watch()
  }

  #archiveChanges({ settings, platform, target, stream }: ArchiveProps): PipelineFunction {
    const { memoryMiB, timeoutSeconds, concurrency, commit } = settings
    const archive = new PipelineFunction(this, 'ArchiveChanges', {
      platform,
      folder: 'archive-changes',
      description: 'Writes records to data files of the archive',
      memoryMiB,
      timeoutSeconds,
      concurrency,
      environment: {
        TARGET_SECRET_ARN: target.archiveCredentials.secretArn,
        DATABASE_TLS: platform.databaseTls,
        CHANGES_TOPIC: stream.topics.changes,
        USER_EVENTS_TOPIC: stream.topics.userEvents,
        ...this.store.variables,
        COMMIT_ARCHIVE_FUNCTION: this.commit.functionName,
        COMMIT_AFTER_SECONDS: String(commit.afterSeconds),
        COMMIT_AFTER_MIB: String(commit.afterMiB),
      } satisfies Record<keyof ArchiveChangesEnvironment, string>,
    })
    target.database.grantUse(archive, target.archiveCredentials)
    this.store.grantWrite(archive)
    this.commit.grantInvoke(archive)
    return archive
  }

  #commitArchive({ settings, platform, target, schema }: ArchiveProps): PipelineFunction {
    const { commit } = settings
    const commitArchive = new PipelineFunction(this, 'CommitArchive', {
      platform,
      folder: 'commit-archive',
      description: 'Commits archived data files to the Iceberg table',
      memoryMiB: 512,
      timeoutSeconds: 300,
      // The ledger's lock allows one committer at a time, so a second one would only wait.
      concurrency: 1,
      environment: {
        TARGET_SECRET_ARN: target.archiveCredentials.secretArn,
        DATABASE_TLS: platform.databaseTls,
        ...this.store.variables,
        COMMIT_AFTER_SECONDS: String(commit.afterSeconds),
        COMMIT_AFTER_MIB: String(commit.afterMiB),
      } satisfies Record<keyof CommitArchiveEnvironment, string>,
    })
    target.database.grantUse(commitArchive, target.archiveCredentials)
    this.store.grantWrite(commitArchive)
    this.store.grantRecover(commitArchive)
    const everyMinute = new events.Rule(this, 'EveryMinute', {
      description: 'Commits archived data files',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      // A failed invocation is not repeated, because the next one comes a minute later.
      targets: [new targets.LambdaFunction(commitArchive, { retryAttempts: 0 })],
    })
    everyMinute.node.addDependency(schema, this.store)
    return commitArchive
  }

  #maintainArchive({ platform, target, schema }: ArchiveProps): void {
    const maintain = new PipelineFunction(this, 'MaintainArchive', {
      platform,
      folder: 'maintain-archive',
      description: 'Keeps the metadata of the archive table small, and removes orphaned files',
      memoryMiB: 1024,
      timeoutSeconds: 840,
      environment: {
        TARGET_SECRET_ARN: target.archiveCredentials.secretArn,
        DATABASE_TLS: platform.databaseTls,
        ...this.store.variables,
      } satisfies Record<keyof MaintainArchiveEnvironment, string>,
    })
    target.database.grantUse(maintain, target.archiveCredentials)
    this.store.grantWrite(maintain)
    const every = (id: string, rate: Duration, orphans: boolean) => {
      const event = events.RuleTargetInput.fromObject({ orphans })
      const rule = new events.Rule(this, id, {
        description: orphans ? 'Removes orphaned files' : 'Merges manifests and expires table snapshots',
        schedule: events.Schedule.rate(rate),
        // A failed invocation is not repeated, because the next one comes by the schedule.
        targets: [new targets.LambdaFunction(maintain, { retryAttempts: 0, event })],
      })
      rule.node.addDependency(schema, this.store)
    }
    every('EveryTenMinutes', Duration.minutes(10), false)
    every('EveryDay', Duration.days(1), true)
  }

  /** docs/archive.md says what to do about these alarms. */
  #watch(): void {
    this.#watchStandstill()
    new cloudwatch.Alarm(this, 'CommitAge', {
      alarmDescription: 'Records have waited for three minutes to be archived and committed to the archive table',
      metric: new cloudwatch.Metric({
        namespace: 'Tidemark',
        metricName: 'OldestUncommittedSeconds',
        dimensionsMap: { Capability: 'archive' },
        statistic: 'Maximum',
        period: Duration.minutes(1),
      }),
      threshold: 180,
      evaluationPeriods: 3,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      // The committer reports each minute, so missing data means that it fails.
      treatMissingData: cloudwatch.TreatMissingData.BREACHING,
    })
  }

  /**
   * commit-archive reports the age of records that failed to be archived, and of those that another consumer has
   * applied. When no consumer has them, only the mapping sees that there are records. It counts those that wait, and a
   * busy archive always has some. So the archive stands still when some wait and none is archived.
   */
  #watchStandstill(): void {
    const period = Duration.minutes(5)
    const offsetLag = this.archive.metric('OffsetLag', { statistic: 'Maximum', period })
    const archived = new cloudwatch.Metric({
      ...{ namespace: 'Tidemark', metricName: 'ArchivedRecords', dimensionsMap: { Capability: 'archive' } },
      ...{ statistic: 'Sum', period },
    })
    new cloudwatch.Alarm(this, 'Standstill', {
      alarmDescription: 'There are records to archive, and none has been archived for 15 minutes',
      metric: new cloudwatch.MathExpression({
        expression: 'IF(FILL(offsetLag, 0) > 0 AND FILL(archived, 0) == 0, 1, 0)',
        usingMetrics: { offsetLag, archived },
        period,
      }),
      threshold: 0,
      evaluationPeriods: 3,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    })
  }
}
