import { serverNow } from '../api/server-clock.ts'
import { formatAgo, formatExactTime, formatTime } from '../text/times.ts'
import { zone } from './preferences.ts'

/** A time in the chosen zone; pointing at it shows it in UTC with microseconds. */
export function At({ time, digits = 0 }: { readonly time: string; readonly digits?: 0 | 3 | 6 }) {
  return (
    <time class="time" dateTime={time} title={formatExactTime(time)}>
      {formatTime(time, { zone: zone.value, nowMs: serverNow.value, digits })}
    </time>
  )
}

/** How long ago a time was, which goes on by itself. */
export function Ago({ time }: { readonly time: string }) {
  const ms = serverNow.value - Date.parse(time)
  return (
    <time class="time" dateTime={time} title={formatExactTime(time)}>
      {Number.isNaN(ms) ? time : formatAgo(ms)}
    </time>
  )
}

/** A time of this machine, such as when the page last heard of something. */
export const AtMs = ({ ms }: { readonly ms: number }) => <At time={new Date(ms).toISOString()} />
