import * as v from 'valibot'

/** How functions reach a database: `verify-full` on AWS (RDS's CA from NODE_EXTRA_CA_CERTS), `disable` on loopback. */
export const databaseTls = v.picklist(['verify-full', 'disable'])

const nonEmpty = v.pipe(v.string(), v.minLength(1))

/** A variable that must not be empty. */
export const text = nonEmpty

/**
 * Parses a function's variables once, at cold start.
 * Throws an Error that names every variable that is missing or malformed.
 */
export function parseEnvironment<const T extends v.ObjectEntries>(
  entries: T,
  variables: Readonly<Record<string, string | undefined>>,
): v.InferOutput<v.ObjectSchema<T, undefined>> {
  const parsed = v.safeParse(v.object(entries), variables)
  if (parsed.success) return parsed.output
  const names = parsed.issues.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`)
  throw new Error(`the environment variables of the function are incomplete. ${names.join('; ')}`)
}
