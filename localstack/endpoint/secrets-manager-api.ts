import { createHash } from 'node:crypto'
import { headerOf, type Response, type Service } from './exchange.ts'

/** Secrets Manager's GetSecretValue. `secrets` finds a value by name or ARN. */
export function makeSecretsManagerApi(secrets: (id: string) => string | undefined): Service {
  return (request) => {
    if (headerOf(request, 'x-amz-target') !== 'secretsmanager.GetSecretValue') return undefined
    const { SecretId: id } = JSON.parse(request.body.toString())
    const value = typeof id === 'string' ? secrets(id) : undefined
    if (value === undefined) return notFound()
    return answer({
      ARN: id,
      Name: id.split(':')[6] ?? id,
      SecretString: value,
      // The same value is the same version: clients keep it in a cache.
      VersionId: createHash('sha256').update(value).digest('hex').slice(0, 32),
      VersionStages: ['AWSCURRENT'],
    })
  }
}

function notFound(): Response {
  const Message = "Secrets Manager can't find the specified secret."
  return { ...answer({ __type: 'ResourceNotFoundException', Message }), status: 400 }
}

function answer(body: object): Response {
  return { status: 200, headers: { 'Content-Type': 'application/x-amz-json-1.1' }, body: JSON.stringify(body) }
}
