import type { SecretStore } from './secret-store.ts'

/**
 * Resolves `{{resolve:secretsmanager:<id>:SecretString:<key>:<stage>:<version>}}`; throws an Error on any other
 * service.
 */
export function resolveDynamicReference(service: string, reference: string, secrets: SecretStore): string {
  const match = /^(.+?):SecretString(?::([^:]*))?(?::[^:]*)?(?::[^:]*)?$/.exec(reference)
  if (service !== 'secretsmanager' || match === null) {
    throw new Error(`{{resolve:${service}:${reference}}} has no value here: only secretsmanager's SecretString has`)
  }
  return read(match[1]!, match[2] ?? '', secrets)
}

/**
 * Resolves `<secret ARN>` or `<secret ARN>:<key>:<stage>:<version>`, which are the forms of a container's `ValueFrom`.
 */
export function secretValue(valueFrom: string, secrets: SecretStore): string {
  const match = /^(arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:[^:]+)(?::([^:]*):[^:]*:[^:]*)?$/.exec(valueFrom)
  if (match === null) throw new Error(`${valueFrom} is not the ARN of a secret`)
  return read(match[1]!, match[2] ?? '', secrets)
}

function read(id: string, key: string, secrets: SecretStore): string {
  const value = secrets.get(id)
  if (value === undefined) throw new Error(`there is no secret ${id}`)
  if (key === '') return value
  const field: unknown = JSON.parse(value)[key]
  if (field === undefined) throw new Error(`the secret ${id} has no key ${key}`)
  return String(field)
}
