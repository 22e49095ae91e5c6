import { Duration } from 'aws-cdk-lib'
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as iam from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { ServeConsoleEnvironment } from '#lambdas/serve-console/environment.ts'
import type { ArchiveStore } from '../archive/archive-store.ts'
import type { Capture } from '../capture/capture.ts'
import { ConnectService } from '../capture/connect-service.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Source } from '../source/source.ts'
import type { Stream } from '../stream/stream.ts'
import type { Target } from '../target/target.ts'
import { ConsoleApi, LONGEST_ANSWER_SECONDS } from './console-api.ts'
import type { ConsoleLogins } from './console-logins.ts'
import { ConsolePage } from './console-page.ts'
import { ConsoleUsers } from './console-users.ts'

/**
 * Whether the stage has a console on AWS, and who may use it. `iam`: requests are signed by a principal that may call
 * `execute-api:Invoke`; `npm run console -- --api` shows the page on a laptop and signs. `cognito`: the page is on AWS,
 * and the users of a user pool sign in. `actions` says whether the console may also act.
 */
export type ConsoleSettings = 'off' | { readonly authorizer: 'iam' | 'cognito'; readonly actions: boolean }

export type ConsoleProps = {
  /** What the stage decides about the console. */
  settings: Exclude<ConsoleSettings, 'off'>
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** Credentials of the console's roles. */
  logins: ConsoleLogins
  /** The brokers and topics. */
  stream: Stream
  /** The database that is captured. */
  source: Source
  /** The database that is kept equal. */
  target: Target
  /** Kafka Connect with the registered connector. */
  capture: Capture
  /** The files of the Iceberg table, and its catalog. */
  archive: ArchiveStore
  /** The functions that topics are delivered to, and those that actions invoke. */
  functions: Record<'apply' | 'archive' | 'windows' | 'captureTables' | 'recover', PipelineFunction>
  /** The directory with the built page. */
  page: string
  /** Whether resources that hold data stay when the stack is deleted. */
  keepsData: boolean
}

/** Shows the pipeline in a browser, to the users whom an authorizer lets in and to nobody else. */
export class Console extends Construct {
  /** `https://…` of the page; without a page, of the API. */
  readonly url: string
  readonly serve: PipelineFunction

  constructor(scope: Construct, id: string, props: ConsoleProps) {
    super(scope, id)
    const { settings, platform } = props
    this.serve = this.#serveConsole(props)
    const api = new ConsoleApi(this, 'Api', { serve: this.serve, ...platform })
    this.url = settings.authorizer === 'iam' ? this.#admitPrincipals(api) : this.#admitUsers(api, props)
    this.#watch()
  }

  #serveConsole(props: ConsoleProps): PipelineFunction {
    const { platform, logins, stream, capture, archive, functions } = props
    const serve = new PipelineFunction(this, 'ServeConsole', {
      platform,
      folder: 'serve-console',
      description: 'Answers the requests of the console',
      memoryMiB: 1024,
      timeoutSeconds: LONGEST_ANSWER_SECONDS,
      environment: {
        STAGE: platform.stage,
        SOURCE_READ_SECRET_ARN: logins.read.source.secretArn,
        TARGET_READ_SECRET_ARN: logins.read.target.secretArn,
        SOURCE_ACT_SECRET_ARN: logins.act?.source.secretArn ?? '',
        TARGET_ACT_SECRET_ARN: logins.act?.target.secretArn ?? '',
        DATABASE_TLS: platform.databaseTls,
        CONNECT_URL: capture.connect.url,
        // The API asks for no password: the worker's security group admits only the functions that call it.
        CONNECT_SECRET_ARN: '',
        CLUSTER_ARN: stream.clusterArn,
        KAFKA_AUTHENTICATION: stream.authentication,
        KAFKA_SECRET_ARN: stream.logins?.secretOf('console').secretArn ?? '',
        CHANGES_TOPIC: stream.topics.changes,
        USER_EVENTS_TOPIC: stream.topics.userEvents,
        ...archive.variables,
        APPLY_FUNCTION: functions.apply.functionName,
        ARCHIVE_FUNCTION: functions.archive.functionName,
        WINDOWS_FUNCTION: functions.windows.functionName,
        CAPTURE_TABLES_FUNCTION: functions.captureTables.functionName,
        RECOVER_CAPTURE_FUNCTION: functions.recover.functionName,
      } satisfies Record<keyof ServeConsoleEnvironment, string>,
    })
    this.#grantReading(serve, props)
    if (logins.act !== undefined) this.#grantActing(serve, props)
    return serve
  }

  #grantReading(serve: PipelineFunction, { logins, stream, source, target, capture, archive }: ConsoleProps): void {
    source.database.grantUse(serve, logins.read.source)
    target.database.grantUse(serve, logins.read.target)
    stream.grantLook(serve, 'console')
    archive.grantRead(serve)
    capture.connect.connections.allowFrom(serve, ec2.Port.tcp(ConnectService.port))
    serve.addToRolePolicy(
      // Lambda gives the right to list mappings for all of them or for none.
      new iam.PolicyStatement({ actions: ['lambda:ListEventSourceMappings'], resources: ['*'] }),
    )
  }

  /** What the target and the source let the console do is granted to its role in their SQL. */
  #grantActing(serve: PipelineFunction, { logins, functions }: ConsoleProps): void {
    logins.act?.source.grantRead(serve)
    logins.act?.target.grantRead(serve)
    for (const invoked of [functions.apply, functions.captureTables, functions.recover]) invoked.grantInvoke(serve)
  }

  #admitPrincipals(api: ConsoleApi): string {
    api.admit(new HttpIamAuthorizer())
    return api.url
  }

  #admitUsers(api: ConsoleApi, { platform, page, keepsData }: ConsoleProps): string {
    const users = new ConsoleUsers(this, 'Users', { stage: platform.stage, keepsData })
    const shown = new ConsolePage(this, 'Page', {
      directory: page,
      apiDomainName: api.domainName,
      signInUrl: users.url,
    })
    const { clientId, authorizer } = users.admitFrom(shown.url)
    api.admit(authorizer)
    shown.deploy({ url: users.url, clientId })
    return shown.url
  }

  /** docs/deploy.md says what to do about this alarm. */
  #watch(): void {
    new cloudwatch.Alarm(this, 'Failing', {
      alarmDescription: 'The function of the console fails: its log has the error',
      metric: this.serve.metricErrors({ statistic: 'Sum', period: Duration.minutes(5) }),
      threshold: 0,
      evaluationPeriods: 3,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    })
  }
}
