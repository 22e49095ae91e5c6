import { useEffect, useRef, useState } from 'preact/hooks'
import type { ShownRecord } from '#core/console/topics.ts'
import { AskError } from '../../api/ask-error.ts'
import { ask } from '../../api/server.ts'
import { MOST_TAIL_ENTRIES } from '../../lists/tail.ts'
import type { Jump } from './jump-form.tsx'

/** The records that are shown, how many were looked at, and whether the topic has no more. */
export type Records = {
  readonly items: readonly ShownRecord[]
  readonly looked: number
  readonly isAtEnd: boolean
  readonly isLoading: boolean
  readonly problem: AskError | null
  readonly failingSince: number | null
  readonly seenAt: number | null
}

const begin: Records = {
  items: [],
  looked: 0,
  isAtEnd: false,
  isLoading: true,
  problem: null,
  failingSince: null,
  seenAt: null,
}

const EVERY_MS = 1_000
const LIMIT = '100'

/**
 * The records from a place on. Live, it goes on by itself, with the newest record first; otherwise `loadMore` continues.
 * At most `MOST_TAIL_ENTRIES` are kept: live the newest, otherwise those that were loaded last.
 */
export function useRecords(
  topic: string,
  jump: Jump,
  isLive: boolean,
  isHeld: boolean,
): Records & { readonly loadMore: () => void } {
  const [records, setRecords] = useState(begin)
  const next = useRef<string | null>(null)
  const name = JSON.stringify([topic, jump, isLive])
  const shown = useRef(name)
  const [round, setRound] = useState(0)

  useEffect(() => {
    if (shown.current !== name) {
      shown.current = name
      next.current = null
      setRecords(begin)
    }
    if (isLive && isHeld) return
    const ended = new AbortController()
    let timer: ReturnType<typeof setTimeout>
    const load = async () => {
      if (!document.hidden) await loadPart(ended.signal)
      if (isLive && !ended.signal.aborted) timer = setTimeout(load, EVERY_MS)
    }
    const loadPart = async (signal: AbortSignal) => {
      setRecords((before) => ({ ...before, isLoading: true }))
      try {
        const query = { ...(isLive ? { from: 'end' } : jump), after: next.current, limit: LIMIT }
        const page = await ask('GET /topics/:topic/records', { params: { topic }, query, signal })
        next.current = page.next
        setRecords((before) => ({
          ...{
            items: joined(before.items, page.items, isLive),
            looked: before.looked + page.looked,
            isAtEnd: page.isAtEnd,
          },
          ...{ isLoading: false, problem: null, failingSince: null, seenAt: Date.now() },
        }))
      } catch (error) {
        if (signal.aborted) return
        const problem = error instanceof AskError ? error : new AskError(500, { message: String(error), hint: null })
        setRecords((before) => ({
          ...before,
          isLoading: false,
          problem,
          failingSince: before.failingSince ?? Date.now(),
        }))
      }
    }
    void load()
    return () => {
      ended.abort()
      clearTimeout(timer)
    }
  }, [name, isHeld, round])
  return { ...records, loadMore: () => setRound((before) => before + 1) }
}

function joined(before: readonly ShownRecord[], come: readonly ShownRecord[], isLive: boolean): readonly ShownRecord[] {
  if (come.length === 0) return before
  return isLive
    ? [...come.toReversed(), ...before].slice(0, MOST_TAIL_ENTRIES)
    : [...before, ...come].slice(-MOST_TAIL_ENTRIES)
}
