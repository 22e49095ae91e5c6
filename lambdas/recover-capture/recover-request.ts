import * as v from 'valibot'

const request = v.object({
  recover: v.optional(
    v.object({
      dryRun: v.optional(v.boolean(), false),
      /** Begins a new epoch whatever the diagnosis is. */
      newEpoch: v.optional(v.boolean(), false),
    }),
  ),
})

/**
 * Reads what is asked for: a look when `recover` is absent, as in the events of a schedule. Throws an Error on a
 * malformed event.
 */
export function readRequest(event: unknown): v.InferOutput<typeof request> {
  const parsed = v.safeParse(request, event ?? {})
  if (parsed.success) return parsed.output
  const wrong = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'event'}: ${issue.message}`)
  throw new Error(`the event must be {} or {"recover": {"dryRun": true|false}}. ${wrong.join('; ')}`)
}
