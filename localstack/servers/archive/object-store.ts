import { join } from 'node:path'
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { makePrivateDirectory, writePrivately } from '#localstack/private-file.ts'
import type { Guard } from '#localstack/processes/guard.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { type RunningService, supervise } from '#localstack/processes/supervise.ts'
import type { SigningKey } from '#localstack/stack-key.ts'
import { serverClasses, withClassArchive } from '../java/class-archive.ts'
import type { Jars } from '../java/jars.ts'
import { type JavaSizing, javaEnvironment, javaOptions, quietLog, temporaryFiles } from '../java/java-options.ts'
import { formatProperties } from '../java/properties-file.ts'

/** A server that has S3's API and stores objects in files. */
export type ObjectStoreOptions = {
  /** The `java` that runs it. */
  program: string
  jars: Pick<Jars, 'objectStoreClassPath' | 'classArchives'>
  /** Directory of the data, which is kept between runs. */
  directory: string
  port: number
  /** The key with which every request has to be signed. */
  key: SigningKey
  logFile: string
  guard: Guard
  signal: AbortSignal
  /** Gets a text that says what it is doing, when it takes long to start. */
  onWaiting?: (what: string) => void
}

/**
 * The store streams bytes, except for the body of a write whose signature includes its hash, which is held in memory.
 */
const SIZING: JavaSizing = { heapMb: 128, youngMb: 24, compiler: 'quick' }

/**
 * Larger signed bodies are refused, because several at once would not fit into the heap. A body that is not signed may
 * have any size.
 */
const LARGEST_SIGNED_BODY = 16 << 20

/**
 * Starts the store on 127.0.0.1; resolves when it answers. It accepts requests that are signed with the key, and has no
 * buckets at first. `If-None-Match: *` is atomic, `If-Match` is not. A write that a kill -9 interrupts stays as
 * `<key>-<uuid>`; the object under the key itself is always whole. Throws an Error with the last lines of its log.
 */
export async function startObjectStore(options: ObjectStoreOptions): Promise<RunningService> {
  const { program, jars, directory, port, key, logFile, guard, signal, onWaiting } = options
  const data = join(directory, 'data')
  await makePrivateDirectory(directory)
  await makePrivateDirectory(data)
  const file = join(directory, 'object-store.properties')
  const properties = {
    's3proxy.endpoint': url(port),
    's3proxy.authorization': 'aws-v4',
    's3proxy.identity': key.accessKeyId,
    's3proxy.credential': key.secretAccessKey,
    's3proxy.v4-max-non-chunked-request-size': String(LARGEST_SIGNED_BODY),
    'jclouds.provider': 'filesystem-nio2',
    'jclouds.filesystem.basedir': data,
  }
  await writePrivately(file, formatProperties(properties))
  const run = [
    ...javaOptions(SIZING),
    ...(await temporaryFiles(directory)),
    ...quietLog,
    ...['-cp', jars.objectStoreClassPath],
  ]
  const classes = serverClasses('object-store', { program, jars, directory })
  return supervise({
    name: 'object-store',
    ...(await withClassArchive(classes, (options) => ({
      file: program,
      args: [...options, ...run, 'org.gaul.s3proxy.Main', '--properties', file],
      cwd: directory,
      // Keys are file names, and Java without a locale allows only ASCII in these.
      env: { ...javaEnvironment(), LC_ALL: 'C.UTF-8' },
    }))),
    ready: () => answers(port),
    ...(onWaiting && { onWaiting }),
    stopSignal: 'SIGTERM',
    stopWithinMs: 1_500,
    logFile,
    guard,
    signal,
  })
}

/** Creates the bucket unless it exists. Throws an Error with the store's answer when that fails. */
export async function ensureBucket(port: number, bucket: string, key: SigningKey): Promise<void> {
  const client = new S3Client({
    ...{ endpoint: url(port), region: 'us-east-1', forcePathStyle: true, credentials: { ...key } },
  })
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }), { abortSignal: AbortSignal.timeout(10_000) })
  } catch (cause) {
    if (cause instanceof BucketAlreadyOwnedByYou) return
    const { name, message } = cause as Error
    throw new Error(`the object store did not create the bucket ${bucket}: ${name} ${message}`, { cause })
  } finally {
    client.destroy()
  }
}

/** Whether the store answers. A refusal counts, because the request is not signed. */
async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(url(port), { signal: AbortSignal.timeout(ANSWER_MS) })
    await response.body?.cancel()
    return response.status === 403
  } catch {
    return false
  }
}

const url = (port: number): string => `http://127.0.0.1:${port}`
