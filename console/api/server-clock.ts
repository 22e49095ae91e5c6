import { computed, signal } from '@preact/signals'

/** Milliseconds between two ticks of what says how long ago something was. */
const TICK_MS = 1_000

const ticked = signal(Date.now())
const ahead = signal(0)

/** The server's time in milliseconds, as of the last second. This machine's clock may be wrong. */
export const serverNow = computed(() => ticked.value + ahead.value)

/** Takes the time that the server says. A difference below two seconds is that of the way here. */
export function setServerTime(iso: string): void {
  const difference = Date.parse(iso) - Date.now()
  if (!Number.isNaN(difference)) ahead.value = Math.abs(difference) < 2_000 ? 0 : difference
}

/** Ticks while the page is seen. */
export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) ticked.value = Date.now()
  }, TICK_MS)
}
