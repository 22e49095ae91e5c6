import { createHash } from 'node:crypto'
import type { SigningKey } from '#localstack/stack-key.ts'
import { headerOf, type Response, type Service } from './exchange.ts'
import { jsonAnswer as answer, refuseUnsigned } from './signed-calls.ts'

/**
 * Secrets Manager's GetSecretValue. `secrets` finds a value by name or ARN. A request that is not signed with the
 * stack's key is refused, because other users of the machine can reach the port, too.
 */
export function makeSecretsManagerApi(secrets: (id: string) => string | undefined, key?: SigningKey): Service {
  return async (request) => {
    if (headerOf(request, 'x-amz-target') !== 'secretsmanager.GetSecretValue') return undefined
    const refusal = await refuseUnsigned(key, request)
    if (refusal !== undefined) return refusal
    const { SecretId: id } = JSON.parse(request.body.toString())
    const value = typeof id === 'string' ? secrets(id) : undefined
    if (value === undefined) return notFound()
    return answer({
      ARN: id,
      Name: id.split(':')[6] ?? id,
      SecretString: value,
      // The version id is derived from the value, so that an unchanged value has the same version in the caches of
      // clients.
      VersionId: createHash('sha256').update(value).digest('hex').slice(0, 32),
      VersionStages: ['AWSCURRENT'],
    })
  }
}

function notFound(): Response {
  const Message = "Secrets Manager can't find the specified secret."
  return { ...answer({ __type: 'ResourceNotFoundException', Message }), status: 400 }
}
