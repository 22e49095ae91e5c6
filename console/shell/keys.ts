import { signal } from '@preact/signals'
import { navigate } from '../routing/navigation.ts'

/** Whether the list of keys is shown. */
export const isHelpOpen = signal(false)

/** Keys that lead to a section, after `g`. */
const sectionKeys: Readonly<Record<string, string>> = {
  o: '/',
  t: '/tables',
  c: '/changes',
  k: '/topics',
  n: '/connectors',
  a: '/archive',
  w: '/windows',
  q: '/quarantine',
  e: '/equality',
}

/** The keys of the page and what they do, for the list that `?` shows. */
export const keyHelp: readonly (readonly [keys: string, does: string])[] = [
  ['/', 'searches in the present screen'],
  ['j  k', 'goes to the next or previous row'],
  ['Enter', 'opens the row'],
  ['Esc', 'closes what is open'],
  ['p', 'pauses and continues what is live'],
  ['g o', 'overview'],
  ['g t', 'tables'],
  ['g c', 'changes'],
  ['g k', 'topics'],
  ['g n', 'connectors'],
  ['g a', 'archive'],
  ['g w', 'windows'],
  ['g q', 'quarantine'],
  ['g e', 'equal?'],
  ['?', 'shows these keys'],
]

/** So long after `g` a section is chosen. */
const CHORD_MS = 1_500

/** Listens to the keys of the page. Keys that are typed into a field are left to it. */
export function startKeys(): void {
  let chordUntil = 0
  document.addEventListener('keydown', (event) => {
    const { key, target } = event
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    if (target instanceof HTMLElement && target.closest('input, textarea, select, dialog') !== null) return
    const section = performance.now() < chordUntil ? sectionKeys[key] : undefined
    chordUntil = key === 'g' ? performance.now() + CHORD_MS : 0
    const isTaken = section === undefined ? onKey(key) : go(section)
    if (isTaken) event.preventDefault()
  })
}

function go(href: string): boolean {
  navigate(href)
  return true
}

function onKey(key: string): boolean {
  switch (key) {
    case '?':
      isHelpOpen.value = true
      return true
    case '/':
      return focusFirst('[data-search]')
    case 'j':
      return moveRow(1)
    case 'k':
      return moveRow(-1)
    case 'ArrowDown':
      return isInRow() && moveRow(1)
    case 'ArrowUp':
      return isInRow() && moveRow(-1)
    case 'p':
      return pressFirst('[data-pause]')
    case 'Escape':
      return pressFirst('[data-close]')
    default:
      return false
  }
}

function focusFirst(selector: string): boolean {
  const element = document.querySelector<HTMLElement>(`main ${selector}`)
  element?.focus()
  return element !== null
}

function pressFirst(selector: string): boolean {
  const element = document.querySelector<HTMLElement>(selector)
  element?.click()
  return element !== null
}

const isInRow = (): boolean => document.activeElement?.hasAttribute('data-row') === true

/** Rows beyond those in view are there too: a list keeps a margin, and draws more when the focus scrolls it. */
function moveRow(by: 1 | -1): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')]
  const now = rows.indexOf(document.activeElement as HTMLElement)
  const next = rows[now < 0 ? 0 : now + by]
  next?.focus()
  return next !== undefined
}
