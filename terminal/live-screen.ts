import { cutText, displayWidth } from './display-width.ts'

/** The size of a terminal in characters. */
export type ScreenSize = { width: number; height: number }

/**
 * A line that is cut to the width, or one that is `whole`: it takes as many rows as it needs, and is copied as one
 * line.
 */
export type ScreenLine = string | { whole: string }

/** The number of rows that a line takes. */
export const rowsOf = (line: ScreenLine, width: number): number =>
  typeof line === 'string' ? 1 : Math.max(1, Math.ceil(displayWidth(line.whole) / width))

/** The text of a line. */
export const textOf = (line: ScreenLine): string => (typeof line === 'string' ? line : line.whole)

/** A full-screen view on a terminal, which is redrawn without scrolling. */
export type LiveScreen = {
  /**
   * Shows the lines that `render` returns for the terminal's size, now and whenever the size changes. Only changed
   * lines are written, so that a selection stays. Lines that do not fit are cut.
   */
  draw(render: (size: ScreenSize) => ScreenLine[]): void
  /** Restores the terminal. It may be called repeatedly. */
  close(): void
}

/** The members that are used of a terminal's stream. */
export type Terminal = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>

const control = '\u001b['
// Automatic wrapping is off (7l), so that no line can run into the next one, even if the terminal shows a character
// wider.
const openScreen = `${control}?1049h${control}?25l${control}?7l${control}2J`
const closeScreen = `${control}?7h${control}?25h${control}?1049l`

/** Opens the screen. The terminal is also restored when the process ends. */
export function openLiveScreen(terminal: Terminal): LiveScreen {
  let shown: Row[] = []
  let isOpen = true
  let render: (size: ScreenSize) => ScreenLine[] = () => []
  const write = () => {
    const size = sizeOf(terminal)
    const wanted = render(size)
      .flatMap((line) => placeLine(line, size.width))
      .slice(0, size.height)
    // Rows are written from the bottom, so that the rows into which a long line continues are empty before it is
    // written.
    for (let row = Math.max(wanted.length, shown.length) - 1; row >= 0; row--) {
      const { key, text } = wanted[row] ?? { key: '', text: '' }
      if (key !== shown[row]?.key) terminal.write(`${control}${row + 1};1H${control}K${text}`)
    }
    shown = wanted
  }
  const redraw = () => {
    shown = []
    terminal.write(`${control}2J`)
    write()
  }
  const screen: LiveScreen = {
    draw: (wanted) => {
      render = wanted
      write()
    },
    close: () => {
      if (isOpen) terminal.write(closeScreen)
      isOpen = false
      terminal.off('resize', redraw)
      process.off('exit', screen.close)
    },
  }
  terminal.write(openScreen)
  terminal.on('resize', redraw)
  process.once('exit', screen.close)
  return screen
}

/** The content of a row. It is written again if `key` changes. */
type Row = { key: string; text: string }

/** A line of several rows is wrapped by the terminal itself, because only then is it copied as one line. */
function placeLine(line: ScreenLine, width: number): Row[] {
  if (typeof line === 'string') return [cutText(line, width)].map((text) => ({ key: text, text }))
  const { whole } = line
  const count = rowsOf(line, width)
  if (count === 1) return [{ key: whole, text: whole }]
  return Array.from({ length: count }, (_, row) => ({
    key: `${row}\u0000${whole}`,
    text: row === 0 ? `${control}?7h${whole}${control}?7l` : '',
  }))
}

/** Some terminals do not report their size, or report 0. */
const sizeOf = ({ columns, rows }: Terminal): ScreenSize => ({ width: columns || 80, height: rows || 24 })
