import { useEffect, useRef, useState } from 'preact/hooks'
import { MOST_TAIL, type ShownChange } from '#core/console/changes.ts'
import { AskError } from '../../api/ask-error.ts'
import type { Resource } from '../../api/resource.ts'
import { ask } from '../../api/server.ts'
import { addToTail, EMPTY_TAIL, type Tail } from '../../lists/tail.ts'
import { VirtualList } from '../../lists/virtual-list.tsx'
import { Empty, Loaded, Panel } from '../../parts/panel.tsx'
import { isNarrow } from '../../parts/preferences.ts'
import { State } from '../../parts/state.tsx'
import { formatCount, formatQuantity } from '../../text/numbers.ts'
import { CHANGE_HEIGHT, ChangeRow } from './change-row.tsx'

const EVERY_MS = 1_000

/** Changes as they are applied, the newest first. It pauses while somebody reads further down. */
export function LiveTail({ open }: { readonly open: string | null }) {
  const [isPaused, setIsPaused] = useState(false)
  const [isAway, setIsAway] = useState(false)
  const { tail, resource } = useTail(isPaused || isAway)
  const region = useRef<HTMLDivElement>(null)
  const resume = () => {
    setIsPaused(false)
    setIsAway(false)
    region.current?.querySelector('.virtual-list')?.scrollTo(0, 0)
  }
  const isHeld = isPaused || isAway
  const buttons = (
    <>
      <State tone={isHeld ? 'attention' : resource.problem === null ? 'good' : 'bad'}>
        {isPaused ? 'paused' : isAway ? 'paused while you read' : resource.problem === null ? 'live' : 'no answer'}
      </State>
      <span class="quiet">
        {formatQuantity(tail.seen, 'change')}
        {tail.skipped > 0 && `, ${formatCount(tail.skipped)} skipped`}
      </span>
      <button type="button" class="button small" data-pause onClick={() => (isHeld ? resume() : setIsPaused(true))}>
        {isHeld ? 'Continue' : 'Pause'}
      </button>
    </>
  )
  return (
    <Panel title="Live" beside={buttons} isFlush class="live-panel">
      <Loaded resource={resource}>
        {() =>
          tail.entries.length === 0 ? (
            <Empty>No changes yet. They are shown here as they are applied.</Empty>
          ) : (
            <div ref={region} class="fill">
              <Entries tail={tail} open={open} onAway={setIsAway} />
            </div>
          )
        }
      </Loaded>
    </Panel>
  )
}

type EntriesProps = {
  readonly tail: Tail<ShownChange>
  readonly open: string | null
  readonly onAway: (isAway: boolean) => void
}

function Entries({ tail: { entries }, open, onAway }: EntriesProps) {
  return (
    <VirtualList
      label="Changes, newest first"
      count={entries.length}
      rowHeight={isNarrow.value ? CHANGE_HEIGHT.narrow : CHANGE_HEIGHT.wide}
      onAway={onAway}
      keyOf={(index) => {
        const entry = entries[index]!
        return entry.kind === 'item' ? entry.item.id : entry.number
      }}
      row={(index) => {
        const entry = entries[index]!
        if (entry.kind === 'item') return <ChangeRow change={entry.item} isOpen={entry.item.id === open} />
        return <div class="gap">{formatQuantity(entry.skipped, 'change')} came too fast and are not shown here</div>
      }}
    />
  )
}

type LiveState = {
  readonly tail: Tail<ShownChange>
  readonly problem: AskError | null
  readonly failingSince: number | null
  readonly seenAt: number | null
}

const begin: LiveState = { tail: EMPTY_TAIL, problem: null, failingSince: null, seenAt: null }

/** Asks for what has come since the last answer, while nothing holds it and the page is seen. */
function useTail(isHeld: boolean): { tail: Tail<ShownChange>; resource: Resource<Tail<ShownChange>> } {
  const [state, setState] = useState(begin)
  const cursor = useRef<string | null>(null)
  useEffect(() => {
    if (isHeld) return
    const ended = new AbortController()
    let timer: ReturnType<typeof setTimeout>
    const next = async () => {
      if (!document.hidden) {
        try {
          const query = { after: cursor.current, limit: String(MOST_TAIL) }
          const come = await ask('GET /changes/tail', { query, signal: ended.signal })
          cursor.current = come.cursor
          setState(({ tail }) => ({
            tail: addToTail(tail, come),
            problem: null,
            failingSince: null,
            seenAt: Date.now(),
          }))
        } catch (error) {
          if (ended.signal.aborted) return
          const problem = error instanceof AskError ? error : new AskError(500, { message: String(error), hint: null })
          setState((before) => ({ ...before, problem, failingSince: before.failingSince ?? Date.now() }))
        }
      }
      if (!ended.signal.aborted) timer = setTimeout(next, EVERY_MS)
    }
    void next()
    return () => {
      ended.abort()
      clearTimeout(timer)
    }
  }, [isHeld])
  const { tail, problem, failingSince, seenAt } = state
  const value = seenAt === null ? null : tail
  return { tail, resource: { value, seenAt, problem, failingSince, isLoading: seenAt === null, reload: () => {} } }
}
