import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'
import type { DatabaseCredentials } from '../postgres/session/connect.ts'

/**
 * A secret is cached for long enough that the connections which a cold start opens at once share one request, and for
 * so short a time that a rotated password is soon seen.
 */
const CACHE_MS = 5_000

const text = v.pipe(v.string(), v.minLength(1))

const credentialsSchema = v.object({
  host: text,
  port: v.pipe(v.union([v.number(), v.string()]), v.transform(Number), v.integer()),
  dbname: text,
  username: text,
  password: text,
})

const loginSchema = v.object({ username: text, password: text })

/**
 * Reads a database secret of the shape that RDS writes, at most once in five seconds. Errors name the secret and the
 * fields that are missing or wrong, never a value.
 */
export function databaseSecret(
  arn: string,
  client: Pick<SecretsManagerClient, 'send'> = new SecretsManagerClient(),
  now: () => number = Date.now,
): () => Promise<DatabaseCredentials> {
  let cached: { at: number; value: Promise<DatabaseCredentials> } | undefined
  return () => {
    if (cached === undefined || now() - cached.at >= CACHE_MS) {
      const value = fetchSecret(client, arn, credentialsSchema)
      cached = { at: now(), value }
      // A failed request is not cached, because otherwise it would fail the next caller too.
      value.catch(() => {
        if (cached?.value === value) cached = undefined
      })
    }
    return cached.value
  }
}

/** A name and its password. */
export type Login = v.InferOutput<typeof loginSchema>

/**
 * Reads a secret of the shape that MSK takes, on every call. Errors name the secret and the fields that are missing or
 * wrong, never a value.
 */
export const loginSecret =
  (arn: string, client: Pick<SecretsManagerClient, 'send'> = new SecretsManagerClient()): (() => Promise<Login>) =>
  () =>
    fetchSecret(client, arn, loginSchema)

async function fetchSecret<const Entries extends v.ObjectEntries>(
  client: Pick<SecretsManagerClient, 'send'>,
  arn: string,
  schema: v.ObjectSchema<Entries, undefined>,
): Promise<v.InferOutput<v.ObjectSchema<Entries, undefined>>> {
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }))
  const parsed = v.safeParse(schema, parseJson(SecretString ?? ''))
  if (parsed.success) return parsed.output
  const fields = parsed.issues.map((issue) => v.getDotPath(issue) ?? 'value')
  const wanted = Object.keys(schema.entries)
    .join(', ')
    .replace(/, (\w+)$/, ' and $1')
  throw new Error(`secret ${arn} must be JSON with ${wanted}; wrong: ${fields.join(', ')}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The error of the parser is dropped, because its message would quote the secret.
    return undefined
  }
}
