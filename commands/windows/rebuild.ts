import { messageWithHint } from '#terminal/error-message.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { describeVersions, exitCodeOfVersions, waitUntilShown } from './shown-definitions.ts'
import type { WindowsArguments } from './windows-arguments.ts'
import { requireWords, withTarget } from './windows-databases.ts'

/** Has a definition computed again from the rows of the target. */
export async function rebuild({ words, json, waits, waitMs, ...given }: WindowsArguments): Promise<number> {
  const [name] = words
  if (name === undefined) throw new UsageError('Which definition? npm run windows -- list shows them')
  requireWords(words, 1, 'rebuild takes one name')
  return withTarget(given, async (client) => {
    await client.query('select tidemark.rebuild_window($1)', [name]).catch((error: Error & { code?: string }) => {
      throw error.code === '42704' ? new UsageError(messageWithHint(error)) : error
    })
    const versions = await waitUntilShown(client, [name], waits ? waitMs : 0)
    if (json) console.log(JSON.stringify(versions, null, 2))
    else for (const line of describeVersions(versions)) console.log(line)
    return exitCodeOfVersions(versions, waits)
  })
}
