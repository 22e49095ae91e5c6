import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Guard } from './guard.ts'
import type { Jars } from './jars.ts'
import { type JavaSizing, javaEnvironment, javaOptions, quietLog, temporaryFiles } from './java-options.ts'
import { formatProperties } from './properties-file.ts'
import { type RunningService, supervise } from './supervise.ts'

/** S3's API over files. */
export type ObjectStoreOptions = {
  /** The `java` to run it with. */
  program: string
  jars: Pick<Jars, 'objectStoreClassPath'>
  /** Data, kept between runs. */
  directory: string
  port: number
  logFile: string
  guard: Guard
  signal: AbortSignal
}

/** Bytes pass through it. */
const SIZING: JavaSizing = { heapMb: 64, youngMb: 24, compiler: 'quick' }

/**
 * Starts it on 127.0.0.1; resolves once it answers. It takes any credentials and has no buckets at first. `If-None-Match: *`
 * is atomic, `If-Match` is not. What a kill -9 interrupts stays as `<key>-<uuid>`; under its own key an object is whole.
 * Throws an Error with the last lines of its log.
 */
export async function startObjectStore(options: ObjectStoreOptions): Promise<RunningService> {
  const { program, jars, directory, port, logFile, guard, signal } = options
  const data = join(directory, 'data')
  await mkdir(data, { recursive: true })
  const file = join(directory, 'object-store.properties')
  const properties = {
    's3proxy.endpoint': url(port),
    's3proxy.authorization': 'none',
    'jclouds.provider': 'filesystem-nio2',
    'jclouds.filesystem.basedir': data,
  }
  await writeFile(file, formatProperties(properties))
  const run = [
    ...javaOptions(SIZING),
    ...(await temporaryFiles(directory)),
    ...quietLog,
    ...['-cp', jars.objectStoreClassPath],
  ]
  return supervise({
    name: 'object-store',
    command: {
      file: program,
      args: [...run, 'org.gaul.s3proxy.Main', '--properties', file],
      cwd: directory,
      // Keys are names of files, and without a locale Java has only ASCII for those.
      env: { ...javaEnvironment(), LC_ALL: 'C.UTF-8' },
    },
    ready: () => answers(port),
    readyWithinMs: 60_000,
    stopSignal: 'SIGTERM',
    stopWithinMs: 1_500,
    logFile,
    guard,
    signal,
  })
}

/** Creates the bucket unless it is there. Throws an Error with the store's answer when it cannot. */
export async function ensureBucket(port: number, bucket: string): Promise<void> {
  const response = await fetch(`${url(port)}/${bucket}`, { method: 'PUT', signal: AbortSignal.timeout(10_000) })
  const answer = await response.text()
  if (response.ok || answer.includes('<Code>BucketAlreadyOwnedByYou</Code>')) return
  throw new Error(`the object store did not create the bucket ${bucket}: ${response.status} ${answer}`)
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(url(port), { signal: AbortSignal.timeout(2_000) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}

const url = (port: number): string => `http://127.0.0.1:${port}`
