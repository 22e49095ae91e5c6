import { join } from 'node:path'
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { makePrivateDirectory, writePrivately } from '#localstack/private-file.ts'
import type { Guard } from '#localstack/processes/guard.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { type RunningService, supervise } from '#localstack/processes/supervise.ts'
import type { SigningKey } from '#localstack/stack-key.ts'
import type { Jars } from '../java/jars.ts'
import { type JavaSizing, javaEnvironment, javaOptions, quietLog, temporaryFiles } from '../java/java-options.ts'
import { formatProperties } from '../java/properties-file.ts'

/** S3's API over files. */
export type ObjectStoreOptions = {
  /** The `java` to run it with. */
  program: string
  jars: Pick<Jars, 'objectStoreClassPath'>
  /** Data, kept between runs. */
  directory: string
  port: number
  /** What every request is signed with. */
  key: SigningKey
  logFile: string
  guard: Guard
  signal: AbortSignal
  /** Hears what it is doing where it takes long to start. */
  onWaiting?: (what: string) => void
}

/** Bytes pass through it, but for those of a write whose signature says what they hash to: those are held. */
const SIZING: JavaSizing = { heapMb: 128, youngMb: 24, compiler: 'quick' }

/** Larger ones are refused: several at once would not fit into the heap. A body that is not signed may have any size. */
const LARGEST_SIGNED_BODY = 16 << 20

/**
 * Starts it on 127.0.0.1; resolves once it answers. It takes what is signed with the key, and has no buckets at
 * first. `If-None-Match: *`
 * is atomic, `If-Match` is not. What a kill -9 interrupts stays as `<key>-<uuid>`; under its own key an object is whole.
 * Throws an Error with the last lines of its log.
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
    ...(onWaiting && { onWaiting }),
    stopSignal: 'SIGTERM',
    stopWithinMs: 1_500,
    logFile,
    guard,
    signal,
  })
}

/** Creates the bucket unless it is there. Throws an Error with the store's answer when it cannot. */
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

/** That it refuses who does not sign is an answer. */
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
