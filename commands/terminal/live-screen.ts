/** A screen of its own on a terminal, drawn again and again without scrolling. */
export type LiveScreen = {
  /** Shows the lines from the top; writes only those that changed, so that a selection stays. */
  draw(lines: string[]): void
  /** Gives the terminal back as it was. Idempotent. */
  close(): void
}

const control = '\u001b['
const open = `${control}?1049h${control}?25l${control}?7l${control}2J`
const close = `${control}?7h${control}?25h${control}?1049l`

/** Opens the screen; it is also given back when the process ends. */
export function openLiveScreen(stream: NodeJS.WriteStream): LiveScreen {
  let shown: string[] = []
  let isOpen = true
  const forget = () => {
    shown = []
    stream.write(`${control}2J`)
  }
  const screen: LiveScreen = {
    draw: (lines) => {
      const visible = lines.slice(0, stream.rows)
      for (let row = 0; row < Math.max(visible.length, shown.length); row++) {
        const line = visible[row] ?? ''
        if (line !== shown[row]) stream.write(`${control}${row + 1};1H${line}${control}K`)
      }
      shown = visible
    },
    close: () => {
      if (isOpen) stream.write(close)
      isOpen = false
      stream.off('resize', forget)
      process.off('exit', screen.close)
    },
  }
  stream.write(open)
  stream.on('resize', forget)
  process.once('exit', screen.close)
  return screen
}
