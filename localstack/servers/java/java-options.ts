import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** How a JVM writes its log, for the option `-Dlog4j2.configurationFile`. */
export const log4jFile = join(import.meta.dirname, 'log4j2.yaml')

/** What a JVM of the stack is started with. */
export type JavaSizing = {
  /** Largest heap, and the part of it for what is soon garbage, in MiB: without that part Connect spends its time collecting. */
  heapMb: number
  youngMb: number
  /** `quick` starts faster and is smaller, `thorough` runs hot code twice as fast. */
  compiler: 'quick' | 'thorough'
}

/** Options of a JVM that shares a small machine with the rest of the stack. */
export function javaOptions({ heapMb, youngMb, compiler }: JavaSizing): string[] {
  return [
    `-Xmx${heapMb}m`,
    `-Xmn${youngMb}m`,
    '-XX:+UseSerialGC',
    ...(compiler === 'quick' ? ['-XX:TieredStopAtLevel=1'] : []),
    // A worker that is out of memory would otherwise linger, alive but deaf; the supervisor restarts one that ends.
    '-XX:+ExitOnOutOfMemoryError',
    // Java 17 takes it from the locale, and a shell without one would write question marks.
    '-Dfile.encoding=UTF-8',
    // As in a container. Debezium passes the times of an array through the machine's time zone, and its changes of hour.
    '-Duser.timezone=UTC',
    '-Djava.awt.headless=true',
    '-Djava.net.preferIPv4Stack=true',
  ]
}

/**
 * Has a JVM keep its temporary files, native libraries among them, in its server's directory; what a killed one left there
 * goes.
 */
export async function temporaryFiles(directory: string): Promise<string[]> {
  const temporary = join(directory, 'temporary')
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true })
  return [`-Djava.io.tmpdir=${temporary}`, '-XX:-UsePerfData']
}

/** What a JVM that logs with SLF4J's simplest logger writes: from warnings on, with the time. */
export const quietLog: readonly string[] = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  // S3Proxy logs what is written to System.err: a logger that writes to it at that time would call itself for ever.
  '-Dorg.slf4j.simpleLogger.cacheOutputStream=true',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
]

/** The environment of a JVM: glibc would otherwise keep freed memory in an arena per thread, as much as half the heap. */
export const javaEnvironment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], MALLOC_ARENA_MAX: '2' })
