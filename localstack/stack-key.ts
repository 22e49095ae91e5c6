/** What AWS's clients sign with. */
export type SigningKey = { accessKeyId: string; secretAccessKey: string }

/** What the servers of one stack ask their clients for: generated at its first start, and another one for every stack. */
export type StackKey = SigningKey & {
  /** What is sent as it is: the Iceberg catalog's bearer token, and the password of Connect's user. */
  token: string
}

/** The user that Connect's REST API knows. */
export const CONNECT_USER = 'tidemark'

/** Gives the generated text of a secret; makes and stores it the first time. */
type Generated = (
  id: string,
  generation: { ExcludePunctuation: true; ExcludeLowercase?: true; PasswordLength: number },
) => Promise<string>

const letters = { ExcludePunctuation: true } as const

/** The key of the stack whose secrets these are; made and stored the first time. */
export async function openStackKey({ generated }: { generated: Generated }): Promise<StackKey> {
  const upperCase = { ...letters, ExcludeLowercase: true } as const
  return {
    // As long as AWS's own, and none of the beginnings that say what kind of key it is.
    accessKeyId: `TIDEMARK${await generated('stack-access-key-id', { ...upperCase, PasswordLength: 12 })}`,
    secretAccessKey: await generated('stack-secret-access-key', { ...letters, PasswordLength: 40 }),
    token: await generated('stack-token', { ...letters, PasswordLength: 40 }),
  }
}
