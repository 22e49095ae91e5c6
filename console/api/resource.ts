import { signal, useSignalEffect } from '@preact/signals'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { Routes } from '#core/console/routes.ts'
import type { Query } from '../routing/place.ts'
import { AskError } from './ask-error.ts'
import { ask, lostSince, urlOf } from './server.ts'

/** What the server answered last, and what is wrong since when if it does not answer now. */
export type Resource<T> = {
  /** Stays while the server cannot answer; null before the first answer. */
  readonly value: T | null
  readonly seenAt: number | null
  readonly problem: AskError | null
  readonly failingSince: number | null
  readonly isLoading: boolean
  readonly reload: () => void
}

/** How it is asked: again after `everyMs` while the page is seen, and not at all while `isOff`. */
export type ResourceOptions = {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Query
  readonly everyMs?: number
  readonly isOff?: boolean
}

/** Grows when an action was executed, so that everything that is shown is asked again. */
const executed = signal(0)

/** Has every panel ask again. */
export function reloadAll(): void {
  executed.value++
}

const FIRST_RETRY_MS = 2_000
const LAST_RETRY_MS = 15_000

type Kept<T> = Omit<Resource<T>, 'reload'> & { readonly url: string }

const nothing = { value: null, seenAt: null, problem: null, failingSince: null, isLoading: true } as const

/**
 * The answer of a GET route, which is asked again when its URL changes, after an action, when the server is back, and
 * sooner and later while it fails. Another path begins without content; another query keeps it until there is an answer.
 */
export function useResource<R extends keyof Routes & `GET ${string}`>(
  route: R,
  options: ResourceOptions = {},
): Resource<Routes[R]> {
  const { params = {}, query = {}, everyMs, isOff = false } = options
  const url = urlOf(route, { params, query })
  const [kept, setKept] = useState<Kept<Routes[R]>>({ ...nothing, url })
  const [round, setRound] = useState(0)
  const reload = useCallback(() => setRound((before) => before + 1), [])
  useReloads(reload)
  const asked = useRef({ params, query })
  asked.current = { params, query }

  useEffect(() => {
    if (isOff) return
    const ended = new AbortController()
    const loop = repeat(ended.signal, everyMs ?? null, async (failures) => {
      setKept((before) => startingWith(before, url))
      try {
        const value = await ask(route, { ...asked.current, signal: ended.signal })
        if (ended.signal.aborted) return 0
        setKept({ value, seenAt: Date.now(), problem: null, failingSince: null, isLoading: false, url })
        return 0
      } catch (error) {
        if (ended.signal.aborted) return 0
        setKept((before) => failing(before, error))
        return isForever(error) ? null : failures + 1
      }
    })
    void loop
    return () => ended.abort()
  }, [url, isOff, everyMs, round])

  return { ...(isSamePath(kept.url, url) ? kept : { ...nothing, url }), reload }
}

/** An answer that will be the same again, such as 404. */
const isForever = (error: unknown): boolean =>
  error instanceof AskError && error.status >= 400 && error.status < 500 && error.status !== 401

const isSamePath = (a: string, b: string): boolean => a.split('?')[0] === b.split('?')[0]

const startingWith = <T>(before: Kept<T>, url: string): Kept<T> =>
  isSamePath(before.url, url) ? { ...before, url, isLoading: true } : { ...nothing, url }

function failing<T>(before: Kept<T>, error: unknown): Kept<T> {
  const problem = error instanceof AskError ? error : new AskError(500, { message: String(error), hint: null })
  return { ...before, problem, failingSince: before.failingSince ?? Date.now(), isLoading: false }
}

/** `work` returns how often it has failed in a row, and null if trying again is of no use. */
async function repeat(
  ended: AbortSignal,
  everyMs: number | null,
  work: (failures: number) => Promise<number | null>,
): Promise<void> {
  let failures: number | null = 0
  while (!ended.aborted) {
    await untilSeen(ended)
    failures = await work(failures)
    if (failures === null || (failures === 0 && everyMs === null)) return
    const ms = failures === 0 ? everyMs! : Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1))
    await new Promise((resolve) => setTimeout(resolve, ms))
  }
}

/** A page that nobody sees asks nothing. */
function untilSeen(ended: AbortSignal): Promise<void> | void {
  if (!document.hidden) return
  return new Promise((resolve) => {
    const options = { signal: ended }
    document.addEventListener('visibilitychange', () => document.hidden || resolve(), options)
    ended.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Reloads after an action, and when the server is back. */
function useReloads(reload: () => void): void {
  const last = useRef({ executed: executed.peek(), isLost: lostSince.peek() !== null })
  useSignalEffect(() => {
    const now = { executed: executed.value, isLost: lostSince.value !== null }
    const isBack = last.current.isLost && !now.isLost
    const isExecuted = now.executed !== last.current.executed
    last.current = now
    if (isBack || isExecuted) reload()
  })
}
