import { readFile } from 'node:fs/promises'
import { runToEnd } from './servers/finished-process.ts'

/**
 * Bytes of memory of a process and all its descendants. On Linux memory they share (Postgres's buffers, the programs
 * themselves) counts once; elsewhere once for each.
 */
export async function residentBytes(root: number): Promise<number> {
  const { output } = await runToEnd('ps', ['-A', '-o', 'pid=,ppid=,rss='])
  const processes = output
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number, number])
  const family = new Set([root])
  for (let size = 0; size !== family.size; ) {
    size = family.size
    for (const [pid, parent] of processes) if (family.has(parent)) family.add(pid)
  }
  const kibibytes = processes.filter(([pid]) => family.has(pid)).map(([pid, , rss]) => proportional(pid, rss))
  return (await Promise.all(kibibytes)).reduce((sum, each) => sum + each, 0) * 1024
}

/** A process's share of what it shares with others; `rss` where the kernel does not tell, or it has just ended. */
async function proportional(pid: number, rss: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')
  const pss = /^Pss:\s+(\d+) kB/m.exec(rollup)
  return pss ? Number(pss[1]) : rss
}
