import { useEffect, useState } from 'preact/hooks'
import { changeQuery, place } from '../routing/navigation.ts'

/** Typing pauses for so long before the list is asked. */
const PAUSE_MS = 250

/** A search whose text is in the URL. `/` leads to it. */
export function SearchField({ name, label }: { readonly name: string; readonly label: string }) {
  const inUrl = place.value.query[name] ?? ''
  const [text, setText] = useState(inUrl)
  useEffect(() => setText(inUrl), [inUrl])
  useEffect(() => {
    if (text === inUrl) return
    const timer = setTimeout(() => changeQuery({ [name]: text }, { replace: true }), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text])
  return (
    <input
      type="search"
      class="search"
      data-search
      aria-label={label}
      placeholder={`${label}  ( / )`}
      value={text}
      spellcheck={false}
      onInput={(event) => setText(event.currentTarget.value)}
    />
  )
}
