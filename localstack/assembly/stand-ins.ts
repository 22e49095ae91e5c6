import type { StandIn } from './stand-in.ts'
import { batchScramSecret } from './stand-ins/broker-logins.ts'
import { bucket } from './stand-ins/buckets.ts'
import { discoveredService, privateDnsNamespace, service, taskDefinition } from './stand-ins/connect.ts'
import { customResource } from './stand-ins/custom-resources.ts'
import { dbInstance, dbParameterGroup } from './stand-ins/databases.ts'
import { eventInvokeConfig } from './stand-ins/event-invoke-configs.ts'
import { eventSourceMapping } from './stand-ins/event-source-mappings.ts'
import { lambdaFunction } from './stand-ins/functions.ts'
import { rule } from './stand-ins/schedules.ts'
import { secret, secretTargetAttachment } from './stand-ins/secrets.ts'
import { brokerConfiguration, cluster, topic } from './stand-ins/stream.ts'
import { glueDatabase, tableBucket } from './stand-ins/tables.ts'

const standIns: Readonly<Record<string, StandIn>> = {
  'AWS::ECS::Service': service,
  'AWS::ECS::TaskDefinition': taskDefinition,
  'AWS::Events::Rule': rule,
  'AWS::Glue::Database': glueDatabase,
  'AWS::Lambda::EventInvokeConfig': eventInvokeConfig,
  'AWS::Lambda::EventSourceMapping': eventSourceMapping,
  'AWS::Lambda::Function': lambdaFunction,
  'AWS::MSK::BatchScramSecret': batchScramSecret,
  'AWS::MSK::Cluster': cluster,
  'AWS::MSK::Configuration': brokerConfiguration,
  'AWS::MSK::Topic': topic,
  'AWS::RDS::DBInstance': dbInstance,
  'AWS::RDS::DBParameterGroup': dbParameterGroup,
  'AWS::S3::Bucket': bucket,
  'AWS::S3Tables::TableBucket': tableBucket,
  'AWS::SecretsManager::Secret': secret,
  'AWS::SecretsManager::SecretTargetAttachment': secretTargetAttachment,
  'AWS::ServiceDiscovery::PrivateDnsNamespace': privateDnsNamespace,
  'AWS::ServiceDiscovery::Service': discoveredService,
}

/** Resource types that have a stand-in, without custom resources. */
export const standInTypes: readonly string[] = Object.keys(standIns)

/** The stand-in for resources of the type; undefined when there is none. */
export function standInFor(type: string): StandIn | undefined {
  if (type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource') return customResource(type)
  return Object.hasOwn(standIns, type) ? standIns[type] : undefined
}
