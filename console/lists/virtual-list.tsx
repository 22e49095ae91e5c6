import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { rowWindow, scrollTopOf } from './row-window.ts'

type VirtualListProps = {
  readonly label: string
  readonly count: number
  readonly rowHeight: number
  readonly row: (index: number) => ComponentChildren
  readonly keyOf: (index: number) => string | number
  readonly class?: string
  /** Whether the list has scrolled away from its top. */
  readonly onAway?: (isAway: boolean) => void
  /** Brings this row into view when it changes. */
  readonly shownRow?: number | null
}

/** A list of any length, of which only the rows in view are in the document. All rows have one height. */
export function VirtualList(props: VirtualListProps) {
  const { label, count, rowHeight, row, keyOf, onAway, shownRow = null } = props
  const region = useRef<HTMLDivElement>(null)
  const [scrollTop, setScrollTop] = useState(0)
  const [viewport, setViewport] = useState(600)

  useLayoutEffect(() => {
    const element = region.current
    if (element === null) return
    const measure = () => setViewport(element.clientHeight)
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  useLayoutEffect(() => {
    if (shownRow !== null && region.current !== null) {
      region.current.scrollTop = scrollTopOf(shownRow, { count, rowHeight, viewport })
    }
  }, [shownRow])

  const { first, end, top, height } = rowWindow({ count, rowHeight, scrollTop, viewport })
  const onScroll = () => {
    const now = region.current?.scrollTop ?? 0
    setScrollTop(now)
    onAway?.(now > rowHeight / 2)
  }
  return (
    <section
      class={`virtual-list ${props.class ?? ''}`}
      aria-label={label}
      ref={region}
      onScroll={onScroll}
      tabIndex={0}
    >
      <div class="virtual-height" style={{ height: `${height}px` }}>
        <div class="virtual-rows" style={{ transform: `translateY(${top}px)` }}>
          {Array.from({ length: end - first }, (_, index) => (
            <div key={keyOf(first + index)} class="virtual-row" style={{ height: `${rowHeight}px` }}>
              {row(first + index)}
            </div>
          ))}
        </div>
      </div>
    </section>
  )
}
