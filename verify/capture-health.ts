import type { DatabaseSession } from './database-session.ts'

/** Nothing is captured: what was waited for does not come. The message has cause and command. */
export class CaptureDownError extends Error {
  override name = 'CaptureDownError'
}

/**
 * A check that throws a CaptureDownError once a look at capture since this call has found it down; what was found before may
 * have been repaired.
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

/** In one sentence, for whoever waits for what cannot come. */
export const describeDown = ({ cause, command }: { cause: string | null; command: string | null }): string =>
  `capture is down: ${cause ?? 'for a reason that is not known'}${command === null ? '' : `. To bring it back: ${command}`}`
