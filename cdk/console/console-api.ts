import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import * as logs from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import type { PipelineFunction } from '../pipeline-function.ts'

export type ConsoleApiProps = {
  /** The function that answers. */
  serve: PipelineFunction
  /** Name of the stage, with which the names of resources end. */
  stage: string
  /** Days for which logs are kept. */
  logRetentionDays: number
}

/** The longest time that an HTTP API waits for a function. */
export const LONGEST_ANSWER_SECONDS = 29

/** An HTTP API of one route, which only an authorizer opens. */
export class ConsoleApi extends Construct {
  /** `https://…`, without a path. */
  readonly url: string
  /** The same without `https://`. */
  readonly domainName: string
  readonly #api: apigateway.HttpApi
  readonly #serve: PipelineFunction

  constructor(scope: Construct, id: string, { serve, stage, logRetentionDays }: ConsoleApiProps) {
    super(scope, id)
    this.#serve = serve
    this.#api = new apigateway.HttpApi(this, 'HttpApi', {
      apiName: `tidemark-${stage}-console`,
      description: 'The console of Tidemark',
      createDefaultStage: false,
    })
    const log = new logs.LogGroup(this, 'AccessLog', {
      retention: logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    new apigateway.HttpStage(this, 'Stage', {
      httpApi: this.#api,
      stageName: '$default',
      autoDeploy: true,
      // Some people with some pages each poll once a second. More would only load the databases.
      throttle: { rateLimit: 50, burstLimit: 100 },
      accessLogSettings: { destination: new apigateway.LogGroupLogDestination(log) },
    })
    const { region, urlSuffix } = Stack.of(this)
    this.domainName = `${this.#api.apiId}.execute-api.${region}.${urlSuffix}`
    this.url = `https://${this.domainName}`
  }

  /** Answers the users whom the authorizer lets in. Without a call there is no route, and everything is refused. */
  admit(authorizer: apigateway.IHttpRouteAuthorizer): void {
    this.#api.addRoutes({
      path: '/api/v1/{path+}',
      methods: [apigateway.HttpMethod.GET, apigateway.HttpMethod.POST],
      integration: new HttpLambdaIntegration('Serve', this.#serve, {
        payloadFormatVersion: apigateway.PayloadFormatVersion.VERSION_2_0,
        timeout: Duration.seconds(LONGEST_ANSWER_SECONDS),
      }),
      authorizer,
    })
  }
}
