/** For example `1,234,567`. */
export const formatCount = (count: number): string => groupDigits(String(Math.round(count)))

/** Groups the digits of a whole number that is a text, and so keeps all of them. Other texts are returned as they are. */
export const groupDigits = (text: string): string =>
  /^-?\d+$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, ',') : text

/** For example `1 row`, `2,000 rows`. */
export const formatQuantity = (count: number, singular: string): string =>
  `${formatCount(count)} ${singular}${count === 1 ? '' : 's'}`

/** For example `0.4/s`, `12/s`, `1,204/s`. */
export function formatRate(perSecond: number): string {
  const isSmall = perSecond > 0 && perSecond < 9.95
  return `${isSmall ? perSecond.toFixed(1) : formatCount(perSecond)}/s`
}

/** For example `4 ms`, `1.3 s`, `2 min 5 s`, `3 h 20 min`, `4 days`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  const seconds = ms / 1_000
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${formatCount(hours / 24)} days`
}

/** For example `512 B`, `1.2 MB`, `3.4 GB`, in powers of 1024. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)))
  return `${(bytes / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`
}

/** The difference of two whole numbers that are texts, with all digits. */
export const differenceOf = (larger: string, smaller: string): string => String(BigInt(larger) - BigInt(smaller))
