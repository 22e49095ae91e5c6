import { readdir, readFile } from 'node:fs/promises'
import { runToEnd } from './finished-process.ts'

/** Memory is in KiB. */
type Process = { pid: number; parent: number; resident: number }

/**
 * Bytes of memory of a process and all its descendants. On Linux shared memory (Postgres's buffers, the programs
 * themselves) counts once; elsewhere it counts once for each process.
 */
export async function residentBytes(root: number): Promise<number> {
  const processes = await (process.platform === 'linux' ? processesOfProc() : processesOfPs())
  const family = new Set([root])
  for (let size = 0; size !== family.size; ) {
    size = family.size
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid)
  }
  const kibibytes = processes.filter(({ pid }) => family.has(pid)).map(proportional)
  return (await Promise.all(kibibytes)).reduce((sum, each) => sum + each, 0) * 1024
}

/**
 * Reads /proc itself, because starting another process would stop the pollers of a large engine for tens of
 * milliseconds.
 */
async function processesOfProc(): Promise<Process[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  return Promise.all(
    pids.map(async (pid) => {
      const status = await contentOf(`/proc/${pid}/status`)
      const number = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
      return { pid, parent: number('PPid'), resident: number('VmRSS') }
    }),
  )
}

async function processesOfPs(): Promise<Process[]> {
  const { output } = await runToEnd('ps', ['-A', '-o', 'pid=,ppid=,rss='])
  return output
    .trim()
    .split('\n')
    .map((line) => {
      const [pid, parent, resident] = line.trim().split(/\s+/).map(Number) as [number, number, number]
      return { pid, parent, resident }
    })
}

/**
 * A process's memory with its share of what it shares with others. It is `resident` when the kernel does not report
 * that, or when the process has just ended.
 */
async function proportional({ pid, resident }: Process): Promise<number> {
  const pss = /^Pss:\s+(\d+) kB/m.exec(await contentOf(`/proc/${pid}/smaps_rollup`))
  return pss ? Number(pss[1]) : resident
}

/** The content of a file; empty when the process has ended, or when there is no such file. */
const contentOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '')
