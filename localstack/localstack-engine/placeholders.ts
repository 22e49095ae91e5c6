import { arn } from '#localstack/assembly/local-account.ts'
import type { StandIn } from '#localstack/assembly/stand-in.ts'

/**
 * Types without a local meaning to which other resources refer, and which LocalStack does not have. The values are the
 * service and kind in their ARNs.
 */
const places: Readonly<Record<string, { service: string; kind: string }>> = {
  'AWS::CloudWatch::Dashboard': { service: 'cloudwatch', kind: 'dashboard' },
  'AWS::EC2::SecurityGroupEgress': { service: 'ec2', kind: 'security-group-rule' },
  'AWS::EC2::SecurityGroupIngress': { service: 'ec2', kind: 'security-group-rule' },
  'AWS::ECS::Cluster': { service: 'ecs', kind: 'cluster' },
  'AWS::RDS::DBSubnetGroup': { service: 'rds', kind: 'subgrp' },
  'AWS::S3Tables::TableBucketPolicy': { service: 's3tables', kind: 'bucket-policy' },
}

/** A stand-in that only gives CloudFormation a name and an ARN; undefined for a type that has a meaning here. */
export function placeholderFor(type: string): StandIn | undefined {
  const place = Object.hasOwn(places, type) ? places[type] : undefined
  if (place === undefined) return undefined
  return {
    reads: new Set(),
    ignores: new Set(),
    attributes: new Set(['Arn']),
    bringUp: (id, _properties, { stack }) => {
      const ref = `${stack.name}-${id}`
      return { ref, attributes: { Arn: arn(stack, place.service, `${place.kind}/${ref}`) } }
    },
  }
}
