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
 * Objects by URL, `s3://bucket/key`. Nothing overwrites another's object; where the store has no conditional writes it is
 * for the names to be unique, or for the contents to be the same.
 */
export type ObjectStore = {
  /** `exists` when there is one already, which a repeated attempt finds. */
  put(url: string, bytes: Uint8Array): Promise<'stored' | 'exists'>
  /** Undefined when there is none. */
  get(url: string): Promise<Uint8Array | undefined>
  /** Whether it is there; its content is not read. */
  has(url: string): Promise<boolean>
  /** Removes those there are. */
  remove(urls: readonly string[]): Promise<void>
  /** All whose URL begins with the prefix, a thousand at a time. */
  list(prefix: string): AsyncIterable<readonly StoredObject[]>
}

/** The store failed: who is asked for what, and why. */
export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError'
}

/** A store that knows no conditional write. */
const NOT_IMPLEMENTED = 501

/** S3 takes no more in one request. */
const REMOVED_AT_ONCE = 1000

/**
 * S3, and what speaks as it does. Errors are ObjectStoreErrors that name the object. Only `If-None-Match` is relied on:
 * local stores do not keep `If-Match` atomic.
 */
export function makeObjectStore(client = new S3Client({})): ObjectStore {
  return {
    put: (url, bytes) =>
      tell('write', url, async () => {
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
      tell('read', url, async () => {
        try {
          const { Body } = await client.send(new GetObjectCommand(placeOf(url)))
          return await Body!.transformToByteArray()
        } catch (error) {
          if (error instanceof NoSuchKey) return undefined
          throw error
        }
      }),
    has: (url) =>
      tell('look for', url, async () => {
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
 * The signature leaves the body out: the SDK sends a checksum of it anyway, and a second one would cost time, and the local
 * store the memory of the whole object.
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
    await tell('remove', `s3://${Bucket}/${Objects[0]!.Key}`, async () => {
      const { Errors } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
      const [first] = Errors ?? []
      if (first !== undefined) throw new Error(`${first.Key}: ${first.Code} ${first.Message}`)
    })
  }
}

async function* listAll(client: S3Client, prefix: string): AsyncIterable<readonly StoredObject[]> {
  const { Bucket, Key: Prefix } = placeOf(prefix)
  for (let ContinuationToken: string | undefined; ; ) {
    const page = await tell('list', prefix, () =>
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
  if (match === null) throw new RangeError(`'${url}' is no place in an object store, such as s3://bucket/key`)
  return { Bucket: match[1]!, Key: match[2]! }
}

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode

async function tell<T>(what: string, url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { name, message } = cause as Error
    throw new ObjectStoreError(`cannot ${what} ${url}: ${name}${message && `: ${message}`}`, { cause })
  }
}
