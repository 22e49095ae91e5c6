import { deployFiles, readFiles } from './check-files.ts'
import { describeVersions, exitCodeOfVersions, waitUntilShown } from './shown-definitions.ts'
import type { WindowsArguments } from './windows-arguments.ts'
import { requireWords, withTarget } from './windows-databases.ts'

/** Makes the definitions of the target those of `windows/`. */
export async function applyDefinitions({ words, json, waits, waitMs, ...given }: WindowsArguments): Promise<number> {
  requireWords(words, 0, 'apply takes the whole folder windows/')
  const files = readFiles([])
  return withTarget(given, async (client) => {
    const { changed, removed } = await deployFiles(client, files)
    const versions = await waitUntilShown(client, changed, waits ? waitMs : 0)
    if (json) console.log(JSON.stringify({ changed, removed, versions }, null, 2))
    else {
      for (const name of removed) console.log(`${name}: dropped`)
      for (const line of describeVersions(versions)) console.log(line)
      if (changed.length + removed.length === 0) console.log('The definitions of the target are those of windows/.')
    }
    return exitCodeOfVersions(versions, waits)
  })
}
