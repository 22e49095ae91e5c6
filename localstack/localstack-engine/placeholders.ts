import { arn } from '#localstack/assembly/local-account.ts'
import type { StandIn } from '#localstack/assembly/stand-in.ts'

/** Types without a local meaning that others refer to, and LocalStack does not have: by type, what their ARNs are of. */
const places: Readonly<Record<string, { service: string; kind: string }>> = {
  'AWS::CloudWatch::Dashboard': { service: 'cloudwatch', kind: 'dashboard' },
  'AWS::EC2::SecurityGroupEgress': { service: 'ec2', kind: 'security-group-rule' },
  'AWS::EC2::SecurityGroupIngress': { service: 'ec2', kind: 'security-group-rule' },
  'AWS::ECS::Cluster': { service: 'ecs', kind: 'cluster' },
  'AWS::RDS::DBSubnetGroup': { service: 'rds', kind: 'subgrp' },
  'AWS::S3Tables::TableBucketPolicy': { service: 's3tables', kind: 'bucket-policy' },
}

/** A name and an ARN for CloudFormation to hand on; undefined for any type that means something here. */
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
