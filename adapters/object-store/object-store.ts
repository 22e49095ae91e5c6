import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'

/** An object of the store, without its content. */
export type StoredObject = { readonly url: string; readonly bytes: number; readonly modifiedAtMs: number }

/**
 * Objects by URL, `s3://bucket/key`. A write never replaces an object that exists. In a store without conditional
 * writes this holds only if names are unique, or if equal names have equal contents.
 */
export type ObjectStore = {
  /** `exists` if there is an object already, for example because an attempt is repeated. */
  put(url: string, bytes: Uint8Array): Promise<'stored' | 'exists'>
  /** Undefined if there is no such object. */
  get(url: string): Promise<Uint8Array | undefined>
  /** Whether the object exists; its content is not read. */
  has(url: string): Promise<boolean>
  /** Removes the objects that exist; others are ignored. */
  remove(urls: readonly string[]): Promise<void>
  /** All objects whose URL begins with the prefix, in pages of up to a thousand. */
  list(prefix: string): AsyncIterable<readonly StoredObject[]>
}

/** The object store failed. The message names the operation, the object and the reason. */
export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError'
}

/** The status with which a store answers that it has no conditional writes. */
const NOT_IMPLEMENTED = 501

/** S3 removes at most this number of objects in one request. */
const REMOVED_AT_ONCE = 1000

/**
 * S3, and other stores with the same API. Errors are ObjectStoreErrors that name the object. Of the conditional writes
 * only `If-None-Match` is used, because `If-Match` is not atomic in local stores.
 */
export function makeObjectStore(client = new S3Client({})): ObjectStore {
  return {
    put: (url, bytes) =>
      describeErrors('write', url, async () => {
        try {
          await client.send(putOf(url, bytes, { IfNoneMatch: '*' }))
        } catch (error) {
          if (statusOf(error) === 412) return 'exists'
          if (statusOf(error) !== NOT_IMPLEMENTED) throw error
          await client.send(putOf(url, bytes))
        }
        return 'stored'
      }),
    get: (url) =>
      describeErrors('read', url, async () => {
        try {
          const { Body } = await client.send(new GetObjectCommand(placeOf(url)))
          return await Body!.transformToByteArray()
        } catch (error) {
          if (error instanceof NoSuchKey) return undefined
          throw error
        }
      }),
    has: (url) =>
      describeErrors('look for', url, async () => {
        try {
          await client.send(new HeadObjectCommand(placeOf(url)))
          return true
        } catch (error) {
          if (statusOf(error) === 404) return false
          throw error
        }
      }),
    async remove(urls) {
      for (let from = 0; from < urls.length; from += REMOVED_AT_ONCE) {
        await removeSome(client, urls.slice(from, from + REMOVED_AT_ONCE))
      }
    },
    list: (prefix) => listAll(client, prefix),
  }
}

/**
 * The body is left out of the signature. The SDK sends a checksum of it anyway, so that signing it would only cost
 * time, and would cost the local store as much memory as the object has.
 */
function putOf(url: string, bytes: Uint8Array, condition: { IfNoneMatch?: '*' } = {}): PutObjectCommand {
  const command = new PutObjectCommand({ ...placeOf(url), Body: bytes, ...condition })
  command.middlewareStack.add(
    (next) => (args) => {
      Object.assign((args.request as { headers: Record<string, string> }).headers, {
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      })
      return next(args)
    },
    { step: 'build', name: 'leaveBodyOutOfSignature' },
  )
  return command
}

async function removeSome(client: S3Client, urls: readonly string[]): Promise<void> {
  const byBucket = Map.groupBy(urls.map(placeOf), ({ Bucket }) => Bucket)
  for (const [Bucket, places] of byBucket) {
    const Objects = places.map(({ Key }) => ({ Key }))
    await describeErrors('remove', `s3://${Bucket}/${Objects[0]!.Key}`, async () => {
      const { Errors } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
      const [first] = Errors ?? []
      if (first !== undefined) throw new Error(`${first.Key}: ${first.Code} ${first.Message}`)
    })
  }
}

async function* listAll(client: S3Client, prefix: string): AsyncIterable<readonly StoredObject[]> {
  const { Bucket, Key: Prefix } = placeOf(prefix)
  for (let ContinuationToken: string | undefined; ; ) {
    const page = await describeErrors('list', prefix, () =>
      client.send(new ListObjectsV2Command({ Bucket, Prefix, ...(ContinuationToken && { ContinuationToken }) })),
    )
    yield (page.Contents ?? []).map(({ Key, Size, LastModified }) => ({
      url: `s3://${Bucket}/${Key}`,
      bytes: Size ?? 0,
      modifiedAtMs: LastModified?.getTime() ?? 0,
    }))
    if (!page.IsTruncated) return
    ContinuationToken = page.NextContinuationToken
  }
}

function placeOf(url: string): { Bucket: string; Key: string } {
  const match = /^s3[an]?:\/\/([^/]+)\/(.*)$/.exec(url)
  if (match === null) throw new RangeError(`'${url}' is not a place in an object store such as s3://bucket/key`)
  return { Bucket: match[1]!, Key: match[2]! }
}

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode

async function describeErrors<T>(what: string, url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { name, message } = cause as Error
    throw new ObjectStoreError(`cannot ${what} ${url}: ${name}${message && `: ${message}`}`, { cause })
  }
}
