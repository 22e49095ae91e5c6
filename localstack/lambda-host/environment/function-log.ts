import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** How much of an invocation's log the Invoke API returns. */
const tailBytes = 4096

/** The length of CloudWatch's longest log event. A longer line is cut there. */
const longestLine = 256 * 1024

/** Cuts the output of one function process into lines, and keeps the last ones of an invocation. */
export type FunctionLog = {
  /** Reads what is written to a stream. Lines of different streams never mix. */
  follow(stream: Readable): void
  /** Adds a line of the platform itself. */
  write(line: string): void
  /** Drops the lines so far, because an invocation starts. */
  startTail(): void
  /** The last 4 KiB of `before`, the lines since `startTail`, and `after`. */
  tail(before: string, after: string): string
}

/** Passes every line to `onLine` as soon as it is complete. */
export function makeFunctionLog(onLine: (line: string) => void): FunctionLog {
  let recent = ''

  function write(line: string): void {
    recent += `${line}\n`
    // The text is cut rarely, because each cut copies it and a function may log thousands of lines.
    if (recent.length > 16 * tailBytes) recent = recent.slice(-tailBytes)
    onLine(line)
  }

  return {
    follow(stream) {
      const decoder = new StringDecoder('utf8')
      let rest = ''
      stream.on('data', (chunk: Buffer) => {
        const lines = (rest + decoder.write(chunk)).split('\n')
        rest = lines.at(-1)!.length > longestLine ? '' : lines.pop()!
        for (const line of lines) write(line)
      })
      // A process that dies sometimes writes the reason without an end of line.
      stream.on('end', () => rest !== '' && write(rest))
    },
    write,
    startTail() {
      recent = ''
    },
    tail(before, after) {
      return Buffer.from(`${before}\n${recent}${after}\n`).subarray(-tailBytes).toString()
    },
  }
}
