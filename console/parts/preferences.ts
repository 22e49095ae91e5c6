import { effect, signal } from '@preact/signals'
import type { Zone } from '../text/times.ts'

/** `system` follows the system's setting. */
export type Theme = 'system' | 'light' | 'dark'

const themes: readonly Theme[] = ['system', 'light', 'dark']

/** Settings of this browser. Storage may be forbidden; then they last as long as the page. */
export const theme = signal<Theme>(stored('tidemark.theme', themes, 'system'))
export const zone = signal<Zone>(stored('tidemark.zone', ['local', 'utc'], 'local'))

/** Whether the page is dark now. Charts are drawn again when it changes. */
export const isDark = signal(false)

/** Whether the screen is as narrow as a phone. */
export const isNarrow = signal(false)

function stored<T extends string>(name: string, values: readonly T[], otherwise: T): T {
  try {
    const value = localStorage.getItem(name)
    return values.find((each) => each === value) ?? otherwise
  } catch {
    return otherwise
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value)
  } catch {
    // The setting is lost when the page is closed, as the one who forbids storage wants.
  }
}

/** The next theme of the button that changes it. */
export const nextTheme = (now: Theme): Theme => themes[(themes.indexOf(now) + 1) % themes.length]!

/** Applies and stores the settings, and follows those of the system. */
export function startPreferences(): void {
  const systemIsDark = follow('(prefers-color-scheme: dark)')
  const narrow = follow('(max-width: 720px)')
  effect(() => {
    isNarrow.value = narrow.value
  })
  effect(() => {
    isDark.value = theme.value === 'system' ? systemIsDark.value : theme.value === 'dark'
    document.documentElement.dataset['theme'] = isDark.value ? 'dark' : 'light'
    store('tidemark.theme', theme.value)
  })
  effect(() => store('tidemark.zone', zone.value))
}

function follow(query: string) {
  const media = matchMedia(query)
  const matches = signal(media.matches)
  media.addEventListener('change', () => {
    matches.value = media.matches
  })
  return matches
}
