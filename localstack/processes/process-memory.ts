import { readFileSync } from 'node:fs'
import { residentBytes } from './resident-memory.ts'

/** Memory of a process and its descendants, in bytes. */
export type MemoryUse = {
  /** The most that was resident at once, as far as the system keeps it. */
  peak: number
  /** What is resident now, without the content of files, which the kernel can reclaim at any time. */
  held: number
}

/**
 * Undefined when the process is gone. Where there is no /proc, `held` counts files too, and `peak` is the present
 * memory.
 */
export async function memoryUse(pid: number): Promise<MemoryUse | undefined> {
  if (process.platform === 'linux') return memoryOfFamily(pid)
  const resident = await residentBytes(pid)
  return resident === 0 ? undefined : { peak: resident, held: resident }
}

function memoryOfFamily(pid: number): MemoryUse | undefined {
  const status = read(`/proc/${pid}/status`)
  const bytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
  // A process that has ended but was not waited for has a status without sizes.
  if (bytes('VmRSS') === 0) return undefined
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean)
  const family = children.map((child) => memoryOfFamily(Number(child)) ?? { peak: 0, held: 0 })
  return family.reduce((sum, { peak, held }) => ({ peak: sum.peak + peak, held: sum.held + held }), {
    peak: bytes('VmHWM'),
    held: bytes('VmRSS') - bytes('RssFile'),
  })
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
