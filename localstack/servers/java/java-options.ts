import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** The configuration of a JVM's log, for the option `-Dlog4j2.configurationFile`. */
export const log4jFile = join(import.meta.dirname, 'log4j2.yaml')

/** Sizes and compiler of a JVM of the stack. */
export type JavaSizing = {
  /**
   * The largest heap, and the part of it for short-lived objects, in MiB. Without that part Connect spends its time in
   * garbage collection.
   */
  heapMb: number
  youngMb: number
  /** `quick` starts faster and needs less memory, `thorough` runs hot code twice as fast. */
  compiler: 'quick' | 'thorough'
}

/** Options of a JVM that shares a small machine with the rest of the stack. */
export function javaOptions({ heapMb, youngMb, compiler }: JavaSizing): string[] {
  return [
    `-Xmx${heapMb}m`,
    `-Xmn${youngMb}m`,
    '-XX:+UseSerialGC',
    ...(compiler === 'quick' ? ['-XX:TieredStopAtLevel=1'] : []),
    // A worker that is out of memory would otherwise stay alive without answering. The supervisor restarts one that
    // ends.
    '-XX:+ExitOnOutOfMemoryError',
    // Java 17 takes the encoding from the locale. In a shell without a locale it would write question marks.
    '-Dfile.encoding=UTF-8',
    // The same as in a container. Debezium converts the times in an array through the machine's time zone, whose
    // changes of hour would alter them.
    '-Duser.timezone=UTC',
    '-Djava.awt.headless=true',
    '-Djava.net.preferIPv4Stack=true',
  ]
}

/**
 * Makes a JVM keep its temporary files, among them native libraries, in its server's directory. Files that a killed JVM
 * has left there are removed.
 */
export async function temporaryFiles(directory: string): Promise<string[]> {
  const temporary = join(directory, 'temporary')
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true })
  return [`-Djava.io.tmpdir=${temporary}`, '-XX:-UsePerfData']
}

/** Log options of a JVM with SLF4J's simple logger: warnings and errors, with the time. */
export const quietLog: readonly string[] = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  // S3Proxy logs what is written to System.err. A logger that looks System.err up at each line would then call itself
  // without end.
  '-Dorg.slf4j.simpleLogger.cacheOutputStream=true',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
]

/**
 * The environment of a JVM. Without MALLOC_ARENA_MAX glibc keeps freed memory in an arena per thread, as much as half
 * the heap.
 */
export const javaEnvironment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], MALLOC_ARENA_MAX: '2' })
