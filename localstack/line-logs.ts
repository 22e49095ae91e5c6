import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'

const LARGEST_LOG = 10 << 20

/**
 * Appends each line to `<directory>/<name>.log`. Before its first line in this process, a log of more than 10 MiB is
 * renamed.
 */
export function openLineLogs(directory: string): (name: string, line: string) => void {
  mkdirSync(directory, { recursive: true })
  const streams = new Map<string, WriteStream>()
  return (name, line) => {
    let stream = streams.get(name)
    if (stream === undefined) {
      const file = join(directory, `${name}.log`)
      if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LARGEST_LOG) renameSync(file, `${file}.1`)
      stream = createWriteStream(file, { flags: 'a' })
      streams.set(name, stream)
    }
    stream.write(`${line}\n`)
  }
}
