import { useEffect, useState } from 'preact/hooks'

/** Copies a text, and says so for a moment. */
export function CopyButton({ text, label = 'Copy' }: { readonly text: string; readonly label?: string }) {
  const [isCopied, setIsCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setIsCopied(false), 1_500)
    return () => clearTimeout(timer)
  }, [isCopied])
  return (
    <button type="button" class="button small" onClick={() => void copy(text).then(() => setIsCopied(true))}>
      {isCopied ? 'Copied' : label}
    </button>
  )
}

/** The clipboard is closed to pages that are not served over TLS or from this machine. There a selection is copied. */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  document.body.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
}

/** Commands or SQL, with a button that copies them. */
export function Snippet({ text, what }: { readonly text: string; readonly what: 'command' | 'SQL' | 'JSON' }) {
  return (
    <div class="snippet">
      <pre tabIndex={0}>
        {what === 'command' && (
          <span class="prompt" aria-hidden="true">
            ${' '}
          </span>
        )}
        {text}
      </pre>
      <CopyButton text={text} label={`Copy ${what}`} />
    </div>
  )
}
