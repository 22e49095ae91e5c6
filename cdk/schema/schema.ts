import { CustomResource, Duration } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import type { CaptureTablesEnvironment } from '#lambdas/capture-tables/environment.ts'
import type { MigrateSchemaEnvironment } from '#lambdas/migrate-schema/environment.ts'
import type { ConnectorProperties } from '#lambdas/register-connector/environment.ts'
import type { ConsoleLogins } from '../console/console-logins.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Source } from '../source/source.ts'
import type { Target } from '../target/target.ts'

export type SchemaProps = {
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The database that is captured. */
  source: Source
  /** The database that is kept equal. */
  target: Target
  /** What is captured: schemas, and tables and columns that are included or left out. */
  captured: ConnectorProperties['Captured']
  /** It is increased when the source is another database, or when everything has to be read again. */
  epoch: number
  /**
   * Credentials of the console's roles.
   *
   * @default - the stage has no console
   */
  consoleLogins: ConsoleLogins | undefined
  /** Number of topic partitions of `changes`; contracts and beacons are written once for each. */
  topicPartitions: number
}

/** What `sql/` installs on both sides, and the function that adds tables to the publication. */
export class Schema extends Construct {
  /** Also deploys the definitions of windows. */
  readonly migrateSchema: PipelineFunction
  readonly captureTables: PipelineFunction

  constructor(scope: Construct, id: string, props: SchemaProps) {
    super(scope, id)
    this.migrateSchema = this.#migrateSchema(props)
    const migrated = this.#migrate(props)
    this.captureTables = this.#captureTables(props)
    const everyMinute = new events.Rule(this, 'EveryMinute', {
      description: 'Captures new tables',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      // A failed invocation is not repeated, because the next one comes a minute later.
      targets: [new targets.LambdaFunction(this.captureTables, { retryAttempts: 0 })],
    })
    everyMinute.node.addDependency(migrated)
  }

  #migrateSchema({ platform, source, target, consoleLogins }: SchemaProps): PipelineFunction {
    const migrate = new PipelineFunction(this, 'MigrateSchema', {
      platform,
      folder: 'migrate-schema',
      description: 'Migrates the schemas of Tidemark in source and target',
      memoryMiB: 512,
      timeoutSeconds: 600,
      environment: {
        SOURCE_SECRET_ARN: source.database.adminSecret.secretArn,
        TARGET_SECRET_ARN: target.database.adminSecret.secretArn,
        CAPTURE_SECRET_ARN: source.captureCredentials.secretArn,
        PRODUCER_SECRET_ARN: source.producerCredentials.secretArn,
        APPLY_SECRET_ARN: target.applyCredentials.secretArn,
        ARCHIVE_SECRET_ARN: target.archiveCredentials.secretArn,
        WINDOWS_SECRET_ARN: target.windowsCredentials.secretArn,
        READ_SECRET_ARN: target.readCredentials.secretArn,
        CONSOLE_READ_SOURCE_SECRET_ARN: consoleLogins?.read.source.secretArn ?? '',
        CONSOLE_READ_TARGET_SECRET_ARN: consoleLogins?.read.target.secretArn ?? '',
        CONSOLE_ACT_SOURCE_SECRET_ARN: consoleLogins?.act?.source.secretArn ?? '',
        CONSOLE_ACT_TARGET_SECRET_ARN: consoleLogins?.act?.target.secretArn ?? '',
        DATABASE_TLS: platform.databaseTls,
      } satisfies Record<keyof MigrateSchemaEnvironment, string>,
    })
    source.database.grantAdministration(migrate)
    target.database.grantAdministration(migrate)
    for (const credentials of [source.captureCredentials, source.producerCredentials]) credentials.grantRead(migrate)
    const { applyCredentials, archiveCredentials, windowsCredentials, readCredentials } = target
    for (const credentials of [applyCredentials, archiveCredentials, windowsCredentials, readCredentials]) {
      credentials.grantRead(migrate)
    }
    consoleLogins?.grantRead(migrate)
    return migrate
  }

  #migrate({ platform, source, target, ...props }: SchemaProps): CustomResource {
    const migrated = new CustomResource(this, 'Migrated', {
      resourceType: 'Custom::Schema',
      serviceToken: this.migrateSchema.functionArn,
      serviceTimeout: Duration.minutes(11),
      properties: {
        TopicPartitions: props.topicPartitions,
        Captured: props.captured,
        Epoch: props.epoch,
        // What the stack installed in the source is removed with the stack, because event triggers without a pipeline
        // are useless.
        DropOnDelete: true,
        // The migration runs again when the console's roles get passwords.
        Console: props.consoleLogins?.roles ?? 'off',
        // The migration runs again when its code or the SQL has changed.
        Code: platform.bundles.digest('migrate-schema'),
      },
    })
    migrated.node.addDependency(source, target)
    return migrated
  }

  #captureTables({ platform, source }: SchemaProps): PipelineFunction {
    const captureTables = new PipelineFunction(this, 'CaptureTables', {
      platform,
      folder: 'capture-tables',
      description: 'Adds new tables to the publication',
      memoryMiB: 256,
      timeoutSeconds: 120,
      environment: {
        SOURCE_SECRET_ARN: source.database.adminSecret.secretArn,
        DATABASE_TLS: platform.databaseTls,
      } satisfies Record<keyof CaptureTablesEnvironment, string>,
    })
    source.database.grantAdministration(captureTables)
    return captureTables
  }
}
