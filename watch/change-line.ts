import { cutText, visibleText } from '#terminal/display-width.ts'
import type { Style } from '#terminal/style.ts'
import type { TextRow } from './text-row.ts'
import type { WatchedChange } from './watched-change.ts'

/**
 * Writes changes as lines in which tables and operations are aligned with earlier lines, as far as their widths allow.
 */
export function makeChangeLines(style: Style, width: number): (change: WatchedChange) => string {
  let tableWidth = 0
  return (change) => {
    tableWidth = Math.max(tableWidth, Math.min(change.table.length, 40))
    const time = change.at.replace('T', ' ').replace('Z', '')
    const head = [time, printable(change.table).padEnd(tableWidth), change.op.padEnd(6)]
    const line = cutText([...head, describe(change)].join('  ').trimEnd(), width)
    // Colours are added after cutting, because they have no width.
    return style.label(line.slice(0, time.length)) + colour(change.op, style)(line.slice(time.length))
  }
}

const bad = new Set(['delete', 'truncate', 'no event', 'unreadable'])
const good = new Set(['create', 'insert'])
const colour = (op: string, style: Style): ((text: string) => string) =>
  bad.has(op) ? style.bad : good.has(op) ? style.good : (text) => text

/** `7  status: new → paid` for an update, `7  status: new, amount: 2.00` for a row that was inserted or deleted. */
function describe(change: WatchedChange): string {
  const id = change.key === null ? [] : [Object.values(change.key).map(shown).join(', ')]
  return [...id, whatOf(change)].map(printable).join('  ')
}

function whatOf({ key, before, after, changed, note }: WatchedChange): string {
  if (note !== undefined) return note
  if (changed === null) return columns(after ?? before ?? {}, key)
  const pairs = Object.entries(changed).map(([name, [was, is]]) => `${name}: ${shown(was)} → ${shown(is)}`)
  return pairs.length === 0 ? 'nothing changed' : pairs.join(', ')
}

const columns = (row: TextRow, key: TextRow | null): string =>
  Object.entries(row)
    .filter(([name]) => key === null || !(name in key))
    .map(([name, value]) => `${name}: ${shown(value)}`)
    .join(', ')

const shown = (value: string | null): string => value ?? 'null'

/** Values come from the source and may contain control characters, which must not reach the terminal. */
const printable = (text: string): string => visibleText(text.replace(/\s+/g, ' '))
