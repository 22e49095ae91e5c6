import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, delimiter, dirname, join } from 'node:path'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import type { Guard } from '#localstack/processes/guard.ts'
import type { Command, Service } from '#localstack/processes/supervise.ts'
import type { Jars } from './jars.ts'
import { javaEnvironment } from './java-options.ts'

/**
 * A server whose classes are archived as its JVM holds them in memory (class data sharing). A JVM that maps the archive
 * does not read, parse and verify these classes, which is a quarter to a third of the processor time of a start.
 */
export type ServerClasses = {
  /** Such as `kafka`. */
  server: string
  /** The `java` that runs it. */
  program: string
  classPath: string
  /** Folder of the archives, beside the jars. */
  archives: string
  /** The server's own directory. */
  directory: string
}

/** The class path of each server whose classes are archived. */
const CLASS_PATHS = {
  kafka: 'classPath',
  connect: 'classPath',
  'iceberg-catalog': 'catalogClassPath',
  'object-store': 'objectStoreClassPath',
} as const

/** The classes of a server that runs from the prepared jars. */
export const serverClasses = <Server extends keyof typeof CLASS_PATHS>(
  server: Server,
  {
    program,
    jars,
    directory,
  }: { program: string; jars: Pick<Jars, (typeof CLASS_PATHS)[Server] | 'classArchives'>; directory: string },
): ServerClasses => ({
  server,
  program,
  classPath: jars[CLASS_PATHS[server]],
  archives: jars.classArchives,
  directory,
})

/**
 * The server's command, with the options that `command` gets. They make the JVM map the archive. While there is none,
 * they make it list the classes that it loads, so that `makeClassArchive` can make one. A JVM that aborts with the
 * archive is started again without it.
 */
export async function withClassArchive(
  classes: ServerClasses,
  command: (options: readonly string[]) => Command,
): Promise<Pick<Service, 'command' | 'afterAbort'>> {
  return {
    command: command(await optionsFor(classes)),
    afterAbort: async () => {
      const archive = await archiveOf(classes)
      if (await exists(archive))
        await refuse(archive, `${classes.server} aborted with it: ${classes.directory}/hs_err*.log`)
      return command([])
    },
  }
}

async function optionsFor(classes: ServerClasses): Promise<string[]> {
  const archive = await archiveOf(classes)
  // A JVM of another build, or with another class path, ignores the archive by itself.
  if (await exists(archive)) return [`-XX:SharedArchiveFile=${archive}`, '-Xshare:auto']
  return (await exists(refusalOf(archive))) ? [] : [`-XX:DumpLoadedClassList=${listIn(classes.directory)}`]
}

/**
 * With a higher one, the archives would not be finished before a stack stops that runs on a busy machine, such as those
 * of tests.
 */
const NICENESS = '5'

/** A process that makes an archive takes less time than this, also on a busy machine. */
const MADE_WITHIN_MS = 600_000

/**
 * Makes the archive from the list of classes that the server has loaded. Does nothing when there is no such list, or
 * the archive is there, or another process makes it, or it could not be made before. It appears by one rename, so that
 * several processes may make it at the same time. Other processes come first.
 */
export async function makeClassArchive(
  classes: ServerClasses,
  { signal, guard }: { signal: AbortSignal; guard: Guard },
): Promise<void> {
  const archive = await archiveOf(classes)
  if ((await exists(archive)) || (await exists(refusalOf(archive))) || (await isBeingMade(archive))) return
  const list = await readFile(listIn(classes.directory), 'utf8').catch(() => undefined)
  if (list === undefined) return
  await mkdir(classes.archives, { recursive: true, mode: 0o700 })
  const fresh = await mkdtemp(`${archive}.new-`)
  try {
    const [file, listFile] = [join(fresh, 'archive'), join(fresh, 'classes')]
    await writeFile(listFile, archivable(list))
    const dump = ['-Xshare:dump', `-XX:SharedClassListFile=${listFile}`, `-XX:SharedArchiveFile=${file}`]
    const { code, output } = await runToEnd(
      'nice',
      // Only with this collector does the JVM archive objects, too.
      ['-n', NICENESS, classes.program, ...dump, '-XX:+UseG1GC', '-Xmx512m', '-cp', classes.classPath],
      { env: javaEnvironment(), signal, guard },
    )
    if (code === 0) await publish(file, archive)
    else if (code !== null) await refuse(archive, output)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

/**
 * The lines of a list that can be archived. The last one is incomplete while the JVM writes. The classes of bound method
 * handles have no class file: a JVM with an agent, which asks for the file of each archived class, crashes at them.
 */
export function archivable(list: string): string {
  const complete = list.slice(0, list.lastIndexOf('\n') + 1)
  return complete.replace(/^.*(\[SPECIES_RESOLVE\]|BoundMethodHandle\$Species_).*\n/gm, '')
}

/** The archive is on the disk before it has its name, because a JVM would crash with half of one. */
async function publish(file: string, archive: string): Promise<void> {
  const handle = await open(file)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(file, archive)
}

/** Removes the archive and records that none is to be made. */
async function refuse(archive: string, reason: string): Promise<void> {
  await writeFile(refusalOf(archive), reason)
  await rm(archive, { force: true })
}

const refusalOf = (archive: string): string => `${archive}.refused`

const listIn = (directory: string): string => join(directory, 'loaded-classes')

/** There is an archive for each build of the JVM, because another one cannot map it, and for each class path. */
async function archiveOf({ server, program, classPath, archives }: ServerClasses): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify([await buildOf(program), classPath]))
  return join(archives, `${server}-${key.digest('hex').slice(0, 12)}.jsa`)
}

/** The file of the program, with the time and the size that change with each build. */
async function buildOf(program: string): Promise<unknown[]> {
  const places = program.includes('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter)
  for (const place of places) {
    const file = await realpath(join(place, program)).catch(() => undefined)
    if (file === undefined) continue
    const { mtimeMs, size } = await stat(file)
    return [file, mtimeMs, size]
  }
  return [program]
}

/** Folders that a killed process has left behind are removed. */
async function isBeingMade(archive: string): Promise<boolean> {
  const folder = dirname(archive)
  const names = await readdir(folder).catch(() => [])
  let isMade = false
  for (const name of names.filter((each) => each.startsWith(`${basename(archive)}.new-`))) {
    const made = await stat(join(folder, name)).catch(() => undefined)
    if (made === undefined) continue
    if (Date.now() - made.mtimeMs < MADE_WITHIN_MS) isMade = true
    else await rm(join(folder, name), { recursive: true, force: true })
  }
  return isMade
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined
}
