import { displayWidth } from './aligned-columns.ts'

/** A screen of its own on a terminal, drawn again and again without scrolling. */
export type LiveScreen = {
  /** Shows the lines from the top, wide ones wrapped; writes only those that changed, so that a selection stays. */
  draw(lines: string[]): void
  /** Gives the terminal back as it was. Idempotent. */
  close(): void
}

/** What of a terminal's stream is used. */
export type Terminal = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>

const control = '\u001b['
const openScreen = `${control}?1049h${control}?25l${control}2J`
const closeScreen = `${control}?25h${control}?1049l`

/** Opens the screen; it is also given back when the process ends. */
export function openLiveScreen(terminal: Terminal): LiveScreen {
  let shown: string[] = []
  let isOpen = true
  const forget = () => {
    shown = []
    terminal.write(`${control}2J`)
  }
  const screen: LiveScreen = {
    draw: (lines) => {
      const wanted = placeLines(lines, terminal.columns).slice(0, terminal.rows)
      // From the bottom, so that a line that wraps is written after the rows it runs on into are empty.
      for (let row = Math.max(wanted.length, shown.length) - 1; row >= 0; row--) {
        const line = wanted[row] ?? ''
        if (line === shown[row]) continue
        terminal.write(`${control}${row + 1};1H${control}K${line.startsWith(continued) ? '' : line}`)
      }
      shown = wanted
    },
    close: () => {
      if (isOpen) terminal.write(closeScreen)
      isOpen = false
      terminal.off('resize', forget)
      process.off('exit', screen.close)
    },
  }
  terminal.write(openScreen)
  terminal.on('resize', forget)
  process.once('exit', screen.close)
  return screen
}

/** Begins what stands for a row that the line above it runs on into; the line follows, for the row changes with it. */
const continued = '\u0000'

function placeLines(lines: string[], columns: number): string[] {
  return lines.flatMap((line) => [line, ...Array(countRows(line, columns) - 1).fill(continued + line)])
}

/** Rows a line takes on a terminal. */
export function countRows(line: string, columns: number): number {
  return Math.max(1, Math.ceil(displayWidth(line) / columns))
}
