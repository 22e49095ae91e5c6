/** A request of the page, as the HTTP API or the local server brings it. */
export type ConsoleRequest = {
  readonly method: string
  /** The path below API_ROOT, still encoded, such as `/tables/public.orders`. */
  readonly path: string
  readonly query: URLSearchParams
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string | null
  /** The user whom the server in front has authenticated; actions are recorded under this name. */
  readonly who: string
}

/** The answer. `body` is JSON unless the headers name another type. */
export type ConsoleResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A request that a route takes: `params` has the decoded segments of its path, by name. */
export type RoutedRequest = ConsoleRequest & { readonly params: Readonly<Record<string, string>> }

/** An answer that is no JSON, such as a file. */
export class PlainAnswer {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>

  constructor(body: string, headers: Readonly<Record<string, string>>) {
    this.body = body
    this.headers = headers
  }
}
