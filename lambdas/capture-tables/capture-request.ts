import * as v from 'valibot'

const request = v.object({ resync: v.optional(v.array(v.pipe(v.string(), v.nonEmpty())), []) })

/** What an invocation asks for: the tables (`schema.table`) to read again before pending ones are captured. */
export type CaptureRequest = v.InferOutput<typeof request>

/**
 * Reads the event of an invocation. The event of a schedule has none of these fields. Throws an Error that says what is
 * wrong.
 */
export function readRequest(event: unknown): CaptureRequest {
  const parsed = v.safeParse(request, event ?? {})
  if (parsed.success) return parsed.output
  const issue = parsed.issues[0]
  throw new Error(
    `the event must be {"resync": ["schema.table", …]} or {}: ${v.getDotPath(issue) ?? 'it'}: ${issue.message}`,
  )
}
