import type { DatabaseSession } from './database-session.ts'

/** Capture is down, so the awaited changes do not come. The message has the cause and the command. */
export class CaptureDownError extends Error {
  override name = 'CaptureDownError'
}

/**
 * Returns a check that throws a CaptureDownError if a look at capture after this call has found it down. Earlier
 * results do not count, because capture may have been repaired since.
 */
export async function watchCapture(target: DatabaseSession): Promise<() => Promise<void>> {
  const [began] = await target.query<{ at: string }>('select clock_timestamp()::text as at')
  return async () => {
    const [down] = await target.query<{ cause: string | null; command: string | null }>(
      `select cause, command from tidemark.capture_health where state = 'down' and checked_at > $1::timestamptz`,
      [began!.at],
    )
    if (down !== undefined) throw new CaptureDownError(describeDown(down))
  }
}

/** One sentence for a user who waits for changes that cannot come. */
export const describeDown = ({ cause, command }: { cause: string | null; command: string | null }): string =>
  `capture is down: ${cause ?? 'for a reason that is not known'}${command === null ? '' : `. To bring it back: ${command}`}`
