import { cutText } from './display-width.ts'

/**
 * Shows what is being done: on a terminal in one line that is overwritten, elsewhere in a new line every five seconds.
 */
export type ProgressLine = {
  show(what: string): void
  /** Removes the line from a terminal. */
  clear(): void
}

const clearLine = '\r\u001b[2K'
const intervalMs = 5_000

/** Writes to standard error, so that standard output has only the result. */
export function makeProgressLine(stream: NodeJS.WriteStream = process.stderr): ProgressLine {
  let next = 0
  return {
    show: (what) => {
      if (stream.isTTY) stream.write(clearLine + cutText(what, Math.max(20, stream.columns - 1)))
      else if (performance.now() >= next) {
        stream.write(`${what}\n`)
        next = performance.now() + intervalMs
      }
    },
    clear: () => {
      if (stream.isTTY) stream.write(clearLine)
    },
  }
}
