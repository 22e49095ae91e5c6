import type { ComponentChildren } from 'preact'
import { useErrorBoundary } from 'preact/hooks'
import { Text } from '../parts/text.tsx'

/** Keeps the rest of the page if a screen cannot be drawn, which an answer of another version of the server may cause. */
export function ScreenBoundary({ children }: { readonly children: ComponentChildren }) {
  const [error, reset] = useErrorBoundary()
  if (error === undefined) return <>{children}</>
  return (
    <div class="note bad" role="alert">
      <p>
        This screen cannot be drawn: <Text value={String(error)} />
      </p>
      <button type="button" class="button small" onClick={reset}>
        Try again
      </button>
    </div>
  )
}
