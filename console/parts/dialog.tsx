import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

type DialogProps = {
  readonly title: string
  readonly onClose: () => void
  readonly children: ComponentChildren
  /** Whether Escape and a click outside leave it open, while something is executed. */
  readonly isHeld?: boolean
}

/** A modal dialog of the browser, which keeps the focus inside and gives it back when it closes. */
export function Dialog({ title, onClose, children, isHeld = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape, which the browser handles, does the same
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault()
        if (!isHeld) onClose()
      }}
      onClick={(event) => {
        if (event.target === dialog.current && !isHeld) onClose()
      }}
    >
      <div class="dialog-inside">
        <h2 id="dialog-title">{title}</h2>
        {children}
      </div>
    </dialog>
  )
}
