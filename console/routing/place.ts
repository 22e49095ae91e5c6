/** Where the page is: the decoded segments of the path, and the query that restores filters. */
export type Place = { readonly path: readonly string[]; readonly query: Readonly<Record<string, string>> }

/** Parameters of a query; absent and empty ones are left out of the URL. */
export type Query = Readonly<Record<string, string | null | undefined>>

/** Reads a URL. A segment that is not encoded as URLs are is taken as it is, so that no link can break the page. */
export function placeOf(pathname: string, search: string): Place {
  return {
    path: pathname.split('/').flatMap((segment) => (segment === '' ? [] : [decoded(segment)])),
    query: Object.fromEntries(new URLSearchParams(search)),
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** Writes a URL that `placeOf` reads. */
export function hrefOf(path: readonly string[], query: Query = {}): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === null || value === undefined || value === '' ? [] : [[name, value]],
  )
  const search = new URLSearchParams(given).toString()
  return `/${path.map(encodeURIComponent).join('/')}${search === '' ? '' : `?${search}`}`
}

/** Whether the two show the same screen, whatever its filters are. */
export const isSameScreen = (a: Place, b: Place): boolean => hrefOf(a.path) === hrefOf(b.path)
