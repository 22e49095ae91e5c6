import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** How much of an invocation's log the Invoke API returns. */
const tailBytes = 4096

/** CloudWatch's longest log event; what a function writes without an end of line is cut there. */
const longestLine = 256 * 1024

/** Cuts the output of one function process into lines and remembers the last ones of an invocation. */
export type FunctionLog = {
  /** Takes what is written to a stream; a line of one stream never mixes with a line of another. */
  follow(stream: Readable): void
  /** Adds a line of the platform itself. */
  write(line: string): void
  /** Forgets the lines so far: an invocation starts. */
  startTail(): void
  /** The last 4 KiB of `before`, the lines since `startTail`, and `after`. */
  tail(before: string, after: string): string
}

/** Gives every line to `onLine` as soon as it is complete. */
export function makeFunctionLog(onLine: (line: string) => void): FunctionLog {
  let recent = ''

  function write(line: string): void {
    recent += `${line}\n`
    // Cut seldom: each cut copies, and a function may log thousands of lines.
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
      // A process that dies says why without an end of line, sometimes.
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
