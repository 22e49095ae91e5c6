/** The key with which AWS's clients sign. */
export type SigningKey = { accessKeyId: string; secretAccessKey: string }

/**
 * The credentials that the servers of one stack require. They are generated at its first start, and differ for every
 * stack.
 */
export type StackKey = SigningKey & {
  /** It is sent as it is: as the bearer token of the Iceberg catalog, and as the password of Connect's user. */
  token: string
}

/** The user of Connect's REST API. */
export const CONNECT_USER = 'tidemark'

/** Returns the generated text of a secret. The first call generates and stores it. */
type Generated = (
  id: string,
  generation: { ExcludePunctuation: true; ExcludeLowercase?: true; PasswordLength: number },
) => Promise<string>

const letters = { ExcludePunctuation: true } as const

/** The key of the stack that has these secrets. The first call generates and stores it. */
export async function openStackKey({ generated }: { generated: Generated }): Promise<StackKey> {
  const upperCase = { ...letters, ExcludeLowercase: true } as const
  return {
    // It is as long as AWS's own, and has none of the prefixes that AWS uses for a kind of key.
    accessKeyId: `TIDEMARK${await generated('stack-access-key-id', { ...upperCase, PasswordLength: 12 })}`,
    secretAccessKey: await generated('stack-secret-access-key', { ...letters, PasswordLength: 40 }),
    token: await generated('stack-token', { ...letters, PasswordLength: 40 }),
  }
}
