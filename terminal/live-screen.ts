import { cutText, displayWidth } from './display-width.ts'

/** A terminal's size in characters. */
export type ScreenSize = { width: number; height: number }

/** A line that is cut to the width, or one that is `whole`: it takes as many rows as it needs, and is copied as one line. */
export type ScreenLine = string | { whole: string }

/** Rows that a line takes. */
export const rowsOf = (line: ScreenLine, width: number): number =>
  typeof line === 'string' ? 1 : Math.max(1, Math.ceil(displayWidth(line.whole) / width))

/** The line without what it is for a screen. */
export const textOf = (line: ScreenLine): string => (typeof line === 'string' ? line : line.whole)

/** A screen of its own on a terminal, drawn again and again without scrolling. */
export type LiveScreen = {
  /**
   * Shows the lines that `render` gives for the terminal's size, now and again as soon as the size changes. Writes only
   * those that changed, so that a selection stays; what does not fit is cut.
   */
  draw(render: (size: ScreenSize) => ScreenLine[]): void
  /** Gives the terminal back as it was. Idempotent. */
  close(): void
}

/** What of a terminal's stream is used. */
export type Terminal = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>

const control = '\u001b['
// Without automatic wrapping (7l) no line can run into the next one, also where the terminal finds a character wider.
const openScreen = `${control}?1049h${control}?25l${control}?7l${control}2J`
const closeScreen = `${control}?7h${control}?25h${control}?1049l`

/** Opens the screen; it is also given back when the process ends. */
export function openLiveScreen(terminal: Terminal): LiveScreen {
  let shown: Row[] = []
  let isOpen = true
  let render: (size: ScreenSize) => ScreenLine[] = () => []
  const write = () => {
    const size = sizeOf(terminal)
    const wanted = render(size)
      .flatMap((line) => placeLine(line, size.width))
      .slice(0, size.height)
    // From the bottom, so that a line of several rows is written after the rows that it runs on into are empty.
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

/** What a row shows; `key` changes when it has to be written again. */
type Row = { key: string; text: string }

/** Only where the terminal wraps a line itself does it know that the rows are one line, when they are copied. */
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

/** Some terminals do not say their size, or say 0. */
const sizeOf = ({ columns, rows }: Terminal): ScreenSize => ({ width: columns || 80, height: rows || 24 })
