import { createHash } from 'node:crypto'
import { headerOf, type Service } from './exchange.ts'
import { jsonAnswer, jsonError } from './signed-calls.ts'

/** The secrets of the account by their ARNs, and when they were made. */
export type SecretList = { arns: () => string[]; get: (id: string) => string | undefined; since: Date }

/** Secrets Manager's ListSecrets and DescribeSecret. They return names, never values. */
export function makeSecretListApi(secrets: SecretList): Service {
  return (request) => {
    const target = headerOf(request, 'x-amz-target')
    if (target !== 'secretsmanager.ListSecrets' && target !== 'secretsmanager.DescribeSecret') return undefined
    const { SecretId, MaxResults = 100, NextToken = '0' } = JSON.parse(request.body.toString() || '{}')
    if (target === 'secretsmanager.ListSecrets') {
      const first = Number(NextToken)
      const arns = secrets.arns()
      const next = first + MaxResults
      return jsonAnswer({
        SecretList: arns
          .slice(first, next)
          .map((arn) => ({ ...describe(arn, secrets), ...versions(arn, secrets, true) })),
        ...(next < arns.length && { NextToken: String(next) }),
      })
    }
    const arn = secrets.arns().find((each) => each === SecretId || nameOf(each) === SecretId)
    if (arn === undefined) {
      return jsonError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.")
    }
    return jsonAnswer({ ...describe(arn, secrets), ...versions(arn, secrets, false) })
  }
}

const nameOf = (arn: string): string => arn.split(':')[6]!.replace(/-\w{6}$/, '')

function describe(arn: string, { since }: SecretList) {
  const seconds = since.getTime() / 1000
  return { ARN: arn, Name: nameOf(arn), CreatedDate: seconds, LastChangedDate: seconds, RotationEnabled: false }
}

/** The version id is derived from the value, as in GetSecretValue. */
function versions(arn: string, secrets: SecretList, isListed: boolean) {
  const version = createHash('sha256')
    .update(secrets.get(arn) ?? '')
    .digest('hex')
    .slice(0, 32)
  return { [isListed ? 'SecretVersionsToStages' : 'VersionIdsToStages']: { [version]: ['AWSCURRENT'] } }
}
