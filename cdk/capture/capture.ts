import { CustomResource, Duration } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'
import type { ConnectorProperties, RegisterConnectorEnvironment } from '#lambdas/register-connector/environment.ts'
import { type FunctionPlatform, PipelineFunction } from '../pipeline-function.ts'
import type { Schema } from '../schema/schema.ts'
import type { Source } from '../source/source.ts'
import type { Stream } from '../stream/stream.ts'
import { ConnectService, type ConnectServiceSettings } from './connect-service.ts'

export type CaptureSettings = ConnectServiceSettings & {
  /** It is increased when the source is another database, or when everything has to be read again. */
  epoch: number
  /** What is captured: schemas, and tables and columns that are included or left out. */
  captured: ConnectorProperties['Captured']
}

export type CaptureProps = {
  /** What the stage decides about capture. */
  settings: CaptureSettings
  /** What all functions of the stage share. */
  platform: FunctionPlatform
  /** The brokers and topics. */
  stream: Stream
  /** The database that is captured. */
  source: Source
  /** What is installed in both databases. Resources that need it are created after it. */
  schema: Schema
}

/** Kafka Connect with the Debezium connector: reads the source's log into the topic `changes`. */
export class Capture extends Construct {
  /**
   * The registered connector. Resources that depend on it are created after changes can flow, and removed before it.
   */
  readonly connector: CustomResource
  /** Kafka Connect, with its REST API inside the network. */
  readonly connect: ConnectService

  constructor(scope: Construct, id: string, props: CaptureProps) {
    super(scope, id)
    const { settings, platform, stream, source, schema } = props
    const service = new ConnectService(this, 'Connect', { settings, platform, stream, source })
    this.connect = service
    // A worker reads its topics when it starts, and the connector logs in with a role that the schema creates.
    service.startsAfter(stream)
    this.connector = this.#registerConnector(service, props)
    this.connector.node.addDependency(service, schema, source)
  }

  #registerConnector(service: ConnectService, { settings, platform, stream, source }: CaptureProps) {
    const { epoch, captured } = settings
    const { host, port, database } = source.database.endpoint
    const register = new PipelineFunction(this, 'RegisterConnector', {
      platform,
      folder: 'register-connector',
      description: 'Registers the connector and removes it with its slot',
      memoryMiB: 256,
      timeoutSeconds: 600,
      environment: {
        CONNECT_URL: service.url,
        // The API asks for no password, because the worker's security group admits only the functions that call it.
        CONNECT_SECRET_ARN: '',
        SOURCE_SECRET_ARN: source.database.adminSecret.secretArn,
        DATABASE_TLS: platform.databaseTls,
      } satisfies Record<keyof RegisterConnectorEnvironment, string>,
    })
    source.database.grantAdministration(register)
    service.connections.allowFrom(register, ec2.Port.tcp(ConnectService.port))
    return new CustomResource(this, 'Connector', {
      resourceType: 'Custom::Connector',
      serviceToken: register.functionArn,
      serviceTimeout: Duration.minutes(11),
      properties: {
        Epoch: epoch,
        Topic: stream.topics.changes,
        TopicPartitions: stream.topicPartitions.changes,
        Captured: captured,
        Database: { Host: host, Port: port, Name: database, Tls: platform.databaseTls },
        // The connector's settings are part of the function's code, so new code registers the connector again.
        Code: platform.bundles.digest('register-connector'),
      } satisfies ConnectorProperties,
    })
  }
}
