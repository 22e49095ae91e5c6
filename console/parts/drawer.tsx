import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

type DrawerProps = { readonly title: string; readonly onClose: () => void; readonly children: ComponentChildren }

/** A part of the page beside a list, which shows what was opened there. */
export function Drawer({ title, onClose, children }: DrawerProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    const before = document.activeElement
    heading.current?.focus({ preventScroll: true })
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
    }
  }, [])
  return (
    <aside class="drawer" aria-label={title}>
      <header>
        <h2 tabIndex={-1} ref={heading}>
          {title}
        </h2>
        <button type="button" class="button quiet-button" data-close onClick={onClose} title="Close (Esc)">
          Close
        </button>
      </header>
      <div class="drawer-content">{children}</div>
    </aside>
  )
}
