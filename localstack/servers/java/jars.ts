import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { addCaptureAgent, agentFiles, agentJar } from './capture-agent-program.ts'
import { addConnector, connectorFiles } from './connector-program.ts'
import { addCatalog, catalogSources } from './iceberg-catalog-program.ts'
import { findJava, findMaven } from './java.ts'
import { briefly, requireCompiler } from './java-compiler.ts'

/** The committed list in the format of `sha256sum`. Each server's jars are in a folder of their own. */
export const checksumFile = join(import.meta.dirname, '../../jars/SHA256SUMS')
/** A JVM archives no classes of a folder, so the main class of the catalog is in a jar. */
const CATALOG = 'iceberg-catalog.jar'
const pom = join(import.meta.dirname, '../../jars/pom.xml')

/** The files from which the JVMs run, as class paths in a fixed order. */
export type Jars = {
  /** The jars of Kafka and Connect. */
  classPath: string
  /** The value of Connect's `plugin.path`, which has one folder for each connector. */
  pluginPath: string
  /** The agent that Connect's JVM loads with -javaagent. */
  captureAgent: string
  objectStoreClassPath: string
  /** The Iceberg catalog's jars, with that of its main class first. */
  catalogClassPath: string
  /** Folder of the servers' class archives, which are made when the servers have run (class-archive.ts). */
  classArchives: string
}

export type JarOptions = {
  /**
   * It is kept between runs. There is one folder for each list of checksums and state of the sources that are built.
   */
  directory: string
  environment: NodeJS.ProcessEnv
  onProgress: (detail: string) => void
  signal?: AbortSignal
}

/**
 * The jars of the committed list. Each is verified at every start; Maven runs only when one is missing or differs. Two
 * processes may call this at the same time, because a finished folder appears by one rename.
 * Throws an Error of one line: Maven missing or too old, no JDK, no network, disk full, a checksum that differs.
 */
export async function prepareJars(options: JarOptions): Promise<Jars> {
  const list = await readFile(checksumFile, 'utf8')
  const checksums = parseChecksums(list)
  const content = createHash('sha256').update(list).update(CATALOG)
  const built = [...catalogSources, ...(await connectorFiles()), ...(await agentFiles())]
  for (const file of built) content.update(await readFile(file))
  const home = join(options.directory, content.digest('hex').slice(0, 12))
  const jars = describe(home, checksums)
  if ((await firstDifference(join(home, 'lib'), checksums, options.signal)) === undefined) return jars

  await mkdir(options.directory, { recursive: true })
  const fresh = await mkdtemp(join(options.directory, 'new-'))
  try {
    await fill(fresh, checksums, options)
    await replace(home, fresh, checksums)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  return jars
}

/** The checksums by name, from lines `<sha256>  <name>`. */
export function parseChecksums(list: string): Map<string, string> {
  const lines = list.split('\n').filter((line) => line !== '')
  return new Map(
    lines.map((line) => {
      const match = /^([0-9a-f]{64}) {2}(\S+)$/.exec(line)
      if (match === null) throw new Error(`${checksumFile}: not "<sha256>  <name>": ${line}`)
      return [match[2]!, match[1]!]
    }),
  )
}

function describe(home: string, checksums: Map<string, string>): Jars {
  const of = (server: string) => jarsOf(server, join(home, 'lib'), checksums)
  return {
    classPath: of('kafka').join(':'),
    pluginPath: join(home, 'plugins'),
    captureAgent: agentJar(join(home, 'capture-agent')),
    objectStoreClassPath: of('object-store').join(':'),
    catalogClassPath: [join(home, CATALOG), ...of('iceberg-catalog')].join(':'),
    classArchives: join(home, 'class-archives'),
  }
}

function jarsOf(server: string, directory: string, checksums: Map<string, string>): string[] {
  const names = [...checksums.keys()].filter((name) => name.startsWith(`${server}/`) && name.endsWith('.jar'))
  return names.map((name) => join(directory, name))
}

/** Names the first file that is missing or differs, in a sentence; undefined when all are right. */
async function firstDifference(
  directory: string,
  checksums: Map<string, string>,
  signal?: AbortSignal,
): Promise<string | undefined> {
  for (const [name, expected] of checksums) {
    signal?.throwIfAborted()
    const found = await sha256(join(directory, name))
    if (found === undefined) return `${name} is in localstack/jars/SHA256SUMS, but Maven did not resolve it`
    if (found !== expected) {
      return `${name} is not the file the project was built with: its sha256 is ${found}, expected is ${expected}. Remove it from Maven's cache and start again; if it stays so, do not trust the repository it came from.`
    }
  }
  return undefined
}

async function sha256(file: string): Promise<string | undefined> {
  const hash = createHash('sha256')
  try {
    await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return hash.digest('hex')
}

async function fill(home: string, checksums: Map<string, string>, options: JarOptions): Promise<void> {
  const { environment: env } = options
  const maven = await findMaven(env)
  const java = await findJava(env)
  await requireCompiler(java, env)
  const lib = join(home, 'lib')
  await resolve(maven, lib, options)
  const difference = await firstDifference(lib, checksums)
  if (difference !== undefined) throw new Error(difference)
  const plugins = join(home, 'plugins')
  await unpack(lib, plugins, checksums)
  const kafka = jarsOf('kafka', lib, checksums)
  const plugin = join(plugins, 'debezium-connector-postgres')
  const [byteBuddy] = jarsOf('capture-agent', lib, checksums)
  options.onProgress('the capture agent and the connector are compiled')
  await addCaptureAgent(java, { kafka, byteBuddy: byteBuddy!, plugin, target: join(home, 'capture-agent'), env })
  await addConnector(java, { jars: kafka, plugin, env })
  const jars = jarsOf('iceberg-catalog', lib, checksums)
  await addCatalog(java, { jars, target: join(home, CATALOG), env })
}

async function resolve(maven: string, target: string, { environment, onProgress, signal }: JarOptions): Promise<void> {
  let downloads = 0
  const { code, output } = await runToEnd(
    maven,
    ['-B', '-f', pom, 'dependency:copy-dependencies@jars', `-Djars.directory=${target}`],
    {
      env: { ...environment, MAVEN_OPTS: [...briefly, environment['MAVEN_OPTS'] ?? ''].join(' ') },
      ...(signal && { signal }),
      onLine: (line) => {
        if (line.includes('Downloaded from')) onProgress(`${++downloads} files downloaded`)
      },
    },
  )
  if (code !== 0) throw new Error(explainMaven(output))
}

/** Explains Maven's failure in one line that says what to do. */
export function explainMaven(output: string): string {
  const errors = output.split('\n').filter((line) => line.includes('[ERROR]'))
  const first = (errors[0] ?? output.trim().split('\n').at(-1) ?? '').replace(/^.*?\[ERROR\]\s*/, '').slice(0, 600)
  if (/No space left on device/i.test(output))
    return `The disk is full: Maven could not store the jars. Free 300 MB and start again. (${first})`
  if (
    /Unknown host|UnknownHost|Connection refused|Connect timed out|timed out|unreachable|name resolution|offline|Could not transfer/i.test(
      output,
    )
  ) {
    return `Maven could not download the jars: check the network, or the mirror and proxy in ~/.m2/settings.xml, and start again. (${first})`
  }
  return `Maven could not resolve the jars of localstack/jars: ${first}`
}

async function unpack(from: string, to: string, checksums: Map<string, string>): Promise<void> {
  await mkdir(to)
  for (const archive of [...checksums.keys()].filter((name) => name.endsWith('.tar.gz'))) {
    const { code, output } = await runToEnd('tar', ['-xzf', join(from, archive), '-C', to])
    if (code !== 0) throw new Error(`${archive} could not be unpacked: ${output.trim()}`)
  }
}

/** Renames the finished folder to its place, unless another process has done so meanwhile. */
async function replace(home: string, fresh: string, checksums: Map<string, string>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rename(fresh, home)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if ((code !== 'ENOTEMPTY' && code !== 'EEXIST') || attempt === 3) throw error
    }
    if ((await firstDifference(join(home, 'lib'), checksums)) === undefined) return
    const damaged = `${fresh}.damaged`
    await rename(home, damaged)
    await rm(damaged, { recursive: true, force: true })
  }
}
