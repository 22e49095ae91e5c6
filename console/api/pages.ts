import { useEffect, useRef, useState } from 'preact/hooks'
import type { Routes } from '#core/console/routes.ts'
import { AskError } from './ask-error.ts'
import { type Resource, type ResourceOptions, useResource } from './resource.ts'
import { ask, urlOf } from './server.ts'

/** The routes whose answers are parts of a list. */
export type PagedRoute = {
  [R in keyof Routes]: Routes[R] extends { readonly items: readonly unknown[]; readonly next: string | null }
    ? R
    : never
}[keyof Routes] &
  `GET ${string}`

type ItemOf<R extends PagedRoute> = Routes[R]['items'][number]

/** A list of which more can be loaded. While only its first part is shown, it is asked again after `everyMs`. */
export type PagedList<R extends PagedRoute> = {
  readonly resource: Resource<Routes[R]>
  readonly items: readonly ItemOf<R>[]
  /** The newest answer, for what it says besides the items. */
  readonly last: Routes[R] | null
  readonly loadMore: (() => void) | null
  readonly isLoadingMore: boolean
  readonly moreProblem: AskError | null
}

/** The most items that one list keeps. */
const MOST_ITEMS = 5_000

type More<R extends PagedRoute> = {
  readonly pages: readonly Routes[R][]
  readonly isLoading: boolean
  readonly problem: AskError | null
}

const none = { pages: [], isLoading: false, problem: null } as const

export function usePages<R extends PagedRoute>(route: R, options: ResourceOptions = {}): PagedList<R> {
  const url = urlOf(route, options)
  const [more, setMore] = useState<More<R>>(none)
  const hasMore = more.pages.length > 0
  const { everyMs, ...rest } = options
  const resource = useResource(route, hasMore || everyMs === undefined ? rest : options)
  const ended = useRef(new AbortController())
  useEffect(() => {
    setMore(none)
    return () => {
      ended.current.abort()
      ended.current = new AbortController()
    }
  }, [url])

  const first = resource.value
  const last = more.pages.at(-1) ?? first
  const items = [first, ...more.pages].flatMap((page): readonly ItemOf<R>[] => page?.items ?? [])
  const next = last?.next ?? null
  const loadMore = async () => {
    setMore((before) => ({ ...before, isLoading: true, problem: null }))
    const { signal } = ended.current
    try {
      const page = await ask(route, { ...options, query: { ...options.query, after: next }, signal })
      if (!signal.aborted) setMore((before) => ({ pages: [...before.pages, page], isLoading: false, problem: null }))
    } catch (error) {
      if (!signal.aborted)
        setMore((before) => ({ ...before, isLoading: false, problem: error instanceof AskError ? error : null }))
    }
  }
  return {
    ...{ resource, items, last, isLoadingMore: more.isLoading, moreProblem: more.problem },
    loadMore: next === null || items.length >= MOST_ITEMS ? null : loadMore,
  }
}
