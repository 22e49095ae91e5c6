import { computed, signal } from '@preact/signals'
import { hrefOf, isSameScreen, type Place, placeOf, type Query } from './place.ts'

const here = (): Place => placeOf(location.pathname, location.search)

const current = signal<Place>(here())

/** Where the page is. */
export const place = computed(() => current.value)

/** Goes to a path of the page. `replace` keeps the history short while a filter is typed. */
export function navigate(href: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  const before = current.value
  if (replace) history.replaceState(null, '', href)
  else history.pushState(null, '', href)
  current.value = here()
  if (isSameScreen(before, current.value)) return
  scrollTo(0, 0)
  requestAnimationFrame(focusHeading)
}

/** Changes filters of the present screen; null takes one away. */
export function changeQuery(changes: Query, options?: { readonly replace?: boolean }): void {
  navigate(hrefOf(current.value.path, { ...current.value.query, ...changes }), options)
}

/** The heading of a new screen takes the focus, so that a screen reader says where the page is. */
function focusHeading(): void {
  document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true })
}

/** Follows links of the page without loading it, and the browser's back and forward. */
export function startNavigation(): void {
  addEventListener('popstate', () => {
    current.value = here()
  })
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
    if (!(link instanceof HTMLAnchorElement) || !isPlain || event.defaultPrevented) return
    if (link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return
    if (link.hash !== '' || link.pathname.startsWith('/api/')) return
    event.preventDefault()
    navigate(link.pathname + link.search)
  })
}
