import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { explainMaven, parseChecksums } from '#localstack/servers/java/jars.ts'
import { findMaven } from '#localstack/servers/java/java.ts'
import { ownDirectory } from '#localstack/settings.ts'

/**
 * A folder beside this file. It contains what Maven is asked for, and the checksums of the files, in the format of
 * `sha256sum`.
 */
export type Peer = 'jdbc-sink' | 'avro-converter' | 'schema-registry' | 'iceberg-sink'

/**
 * The folder with a peer's files, in which each plugin of Connect has a folder of its own. At the first call Maven
 * fetches the files, and they are verified; they stay in `.tidemark/bench-peers`. Throws an Error of one line that says
 * what to do.
 */
export async function preparePeerFiles(peer: Peer, onProgress: (what: string) => void): Promise<string> {
  const list = await readFile(join(import.meta.dirname, peer, 'SHA256SUMS'), 'utf8')
  const directory = join(ownDirectory, 'bench-peers')
  const home = join(directory, createHash('sha256').update(list).digest('hex').slice(0, 12))
  if (await exists(home)) return home

  onProgress('asking Maven for the peers')
  await mkdir(directory, { recursive: true })
  const fresh = await mkdtemp(join(directory, 'new-'))
  try {
    const files = await fetchFiles(peer, join(fresh, 'files'))
    const prepared = join(fresh, 'prepared')
    await mkdir(prepared)
    for (const [name, expected] of parseChecksums(list)) {
      const file = join(files, name)
      const found = createHash('sha256')
        .update(await readFile(file))
        .digest('hex')
      if (found !== expected) {
        throw new Error(
          `${name} is not the file that was measured before: its sha256 is ${found}, expected is ${expected}. Remove it from Maven's cache and run this again; if it stays so, do not trust the repository it came from.`,
        )
      }
      // A plugin's archive contains its folder. Jars without an archive are one plugin.
      await (name.endsWith('.tar.gz') ? unpack(file, prepared) : addJar(file, join(prepared, peer)))
    }
    await rename(prepared, home)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return home
}

async function fetchFiles(peer: Peer, target: string): Promise<string> {
  const maven = await findMaven(process.env)
  const pom = join(import.meta.dirname, peer, 'pom.xml')
  const args = ['-B', '-f', pom, 'dependency:copy-dependencies@jars', `-Djars.directory=${target}`]
  const { code, output } = await runToEnd(maven, args, { env: process.env })
  if (code !== 0) throw new Error(explainMaven(output).replace('localstack/jars', `bench/peers/${peer}`))
  return target
}

async function unpack(archive: string, target: string): Promise<void> {
  const { code, output } = await runToEnd('tar', ['-xzf', archive, '-C', target])
  if (code !== 0) throw new Error(`${archive} could not be unpacked: ${output.trim()}`)
}

async function addJar(jar: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await copyFile(jar, join(folder, basename(jar)))
}

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined
