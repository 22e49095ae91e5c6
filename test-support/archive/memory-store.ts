import type { ObjectStore, StoredObject } from '#adapters/object-store/object-store.ts'

/**
 * An object store in memory, with the guarantees of S3: an object exists whole or not at all, and none is overwritten.
 */
export type MemoryStore = ObjectStore & { readonly objects: ReadonlyMap<string, Uint8Array> }

export function makeMemoryStore(now: () => number = Date.now): MemoryStore {
  const objects = new Map<string, Uint8Array>()
  const modified = new Map<string, number>()
  return {
    objects,
    async put(url, bytes) {
      if (objects.has(url)) return 'exists'
      objects.set(url, bytes.slice())
      modified.set(url, now())
      return 'stored'
    },
    get: async (url) => objects.get(url),
    has: async (url) => objects.has(url),
    async remove(urls) {
      for (const url of urls) objects.delete(url)
    },
    async *list(prefix) {
      const found = [...objects].filter(([url]) => url.startsWith(prefix))
      yield found.map(([url, { length }]): StoredObject => ({ url, bytes: length, modifiedAtMs: modified.get(url)! }))
    },
  }
}
