import { open } from 'node:fs/promises'
import { runToEnd } from './finished-process.ts'

/** What a server that is starting has done so far. */
export type ProcessProgress = {
  /** Length of its log since it was started. */
  logBytes: number
  /** Processor time of all processes of its group. */
  cpuSeconds: number
  /** The end of its log; empty when there is none. */
  lastLine: string
}

/** Measures the process group that `leader` leads, and what it has logged from byte `logStart` on. */
export async function progressOf(leader: number, logFile: string, logStart: number): Promise<ProcessProgress> {
  const [cpuSeconds, log] = await Promise.all([cpuSecondsOf(leader), lastOf(logFile, logStart)])
  return { cpuSeconds, ...log }
}

/** Adds up times in the format of ps: `[[days-]hours:]minutes:seconds`, with fractions on macOS. */
async function cpuSecondsOf(group: number): Promise<number> {
  const { output } = await runToEnd('ps', ['-A', '-o', 'pgid=,time='])
  return output.split('\n').reduce((sum, line) => {
    const [pgid, time = ''] = line.trim().split(/\s+/)
    return Number(pgid) === group ? sum + secondsOf(time) : sum
  }, 0)
}

/** `1-02:03:04` is a day, two hours, three minutes and four seconds. */
export function secondsOf(time: string): number {
  const [clock = '', days = '0'] = time.split('-').toReversed()
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return Number(days) * 86_400 + seconds
}

async function lastOf(file: string, from: number): Promise<Pick<ProcessProgress, 'logBytes' | 'lastLine'>> {
  const text = await endOf(file, from)
  return { logBytes: text.bytes, lastLine: text.end.trimEnd().split('\n').at(-1) ?? '' }
}

/** At most the last 4,000 bytes of what was logged from byte `from` on, and how many bytes were logged. */
export async function endOf(file: string, from: number): Promise<{ bytes: number; end: string }> {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const start = Math.max(from, size - 4_000)
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(size - start), position: start })
    return { bytes: size - from, end: buffer.toString('utf8', 0, bytesRead) }
  } finally {
    await handle.close()
  }
}
