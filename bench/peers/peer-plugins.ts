import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { runToEnd } from '#localstack/servers/finished-process.ts'
import { explainMaven, parseChecksums } from '#localstack/servers/jars.ts'
import { findMaven } from '#localstack/servers/java.ts'
import { ownDirectory } from '#localstack/settings.ts'

const pom = join(import.meta.dirname, 'pom.xml')
/** As `sha256sum` writes it, for each archive that Maven gives. */
const checksumFile = join(import.meta.dirname, 'SHA256SUMS')

/**
 * The folder with Connect's plugins of the peers, each in a folder of its own. Maven is asked for them the first time, and
 * they are verified; they stay in `.tidemark/bench-peers`. Throws an Error of one line that says what to do.
 */
export async function preparePeerPlugins(onProgress: (what: string) => void): Promise<string> {
  const list = await readFile(checksumFile, 'utf8')
  const directory = join(ownDirectory, 'bench-peers')
  const home = join(directory, createHash('sha256').update(list).digest('hex').slice(0, 12))
  if (await exists(home)) return home

  onProgress('asking Maven for the peers')
  await mkdir(directory, { recursive: true })
  const fresh = await mkdtemp(join(directory, 'new-'))
  try {
    const archives = await fetchArchives(join(fresh, 'archives'))
    const plugins = join(fresh, 'plugins')
    await mkdir(plugins)
    for (const [name, expected] of parseChecksums(list)) {
      const archive = join(archives, name)
      const found = createHash('sha256')
        .update(await readFile(archive))
        .digest('hex')
      if (found !== expected) {
        throw new Error(
          `${name} is not the file that was measured before: its sha256 is ${found}, expected is ${expected}. Remove it from Maven's cache and run this again; if it stays so, do not trust the repository it came from.`,
        )
      }
      await unpack(archive, plugins)
    }
    await rename(plugins, home)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return home
}

async function fetchArchives(target: string): Promise<string> {
  const maven = await findMaven(process.env)
  const args = ['-B', '-f', pom, 'dependency:copy-dependencies@jars', `-Djars.directory=${target}`]
  const { code, output } = await runToEnd(maven, args, { env: process.env })
  if (code !== 0) throw new Error(explainMaven(output).replace('localstack/jars', 'bench/peers'))
  return target
}

async function unpack(archive: string, target: string): Promise<void> {
  const { code, output } = await runToEnd('tar', ['-xzf', archive, '-C', target])
  if (code !== 0) throw new Error(`${archive} could not be unpacked: ${output.trim()}`)
}

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined
