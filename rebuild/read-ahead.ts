import type { ObjectStore } from '#adapters/object-store/object-store.ts'

type Store = Pick<ObjectStore, 'get'>

/**
 * How many objects, and how many bytes, are fetched in advance. A larger object is fetched only when it is asked for.
 */
const AHEAD = { objects: 8, bytes: 32 << 20 }

/**
 * A store for a reader that gets these objects in this order. It fetches the next objects while the reader works on
 * one. If a fetch fails, the `get` of that object rejects.
 */
export function readAhead(store: Store, objects: readonly { readonly path: string; readonly bytes: number }[]): Store {
  const coming = new Map<string, ReturnType<Store['get']>>()
  const places = new Map(objects.map(({ path }, place) => [path, place]))
  const fetch = (path: string) => {
    const content = store.get(path)
    // The reader may never ask for this object; without a handler the error would end the process. A `get` still
    // rejects with it.
    content.catch(() => undefined)
    coming.set(path, content)
  }
  return {
    async get(url) {
      if (!coming.has(url)) fetch(url)
      const content = coming.get(url)!
      let bytes = 0
      for (const next of objects.slice((places.get(url) ?? objects.length) + 1).slice(0, AHEAD.objects)) {
        bytes += next.bytes
        if (bytes > AHEAD.bytes) break
        if (!coming.has(next.path)) fetch(next.path)
      }
      coming.delete(url)
      return content
    },
  }
}
