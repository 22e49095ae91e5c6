import type { ObjectStore } from '#adapters/object-store/object-store.ts'

type Store = Pick<ObjectStore, 'get'>

/** Objects that are fetched before they are asked for; one that is larger than all of it comes alone. */
const AHEAD = { objects: 8, bytes: 32 << 20 }

/**
 * The store, for a reader who gets these objects in this order: the next ones are on their way while it works on one. An
 * error is that of the object's own `get`.
 */
export function readAhead(store: Store, objects: readonly { readonly path: string; readonly bytes: number }[]): Store {
  const coming = new Map<string, ReturnType<Store['get']>>()
  const places = new Map(objects.map(({ path }, place) => [path, place]))
  const fetch = (path: string) => {
    const content = store.get(path)
    // Nobody may ask for it any more; who does gets the error all the same.
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
