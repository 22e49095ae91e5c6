import { readdirSync, readFileSync } from 'node:fs'

/** A process of the machine. `ticks` are the processor time that it has used since it began. */
export type Process = { readonly pid: number; readonly parent: number; readonly ticks: number }

/** Linux counts the time of processes in hundredths of a second, whatever the kernel's own clock is. */
const TICKS_PER_SECOND = 100
const LOOK_EVERY_MS = 500

/** Seconds of processor time, by group of processes. */
export type ProcessorSeconds = Readonly<Record<string, number>>

/**
 * Decides the group of a process: that of its nearest ancestor that has one, itself included. `titleOf` returns its
 * command line.
 */
export type Grouping = {
  readonly roots: () => ReadonlyMap<number, string>
  /** Returns a finer group for a process in the group of a root. */
  readonly refine: (group: string, pid: number, titleOf: () => string) => string
}

/** Both return the processor time that was used so far. After `stop` nothing more is counted. */
export type ProcessorWatch = { readonly read: () => ProcessorSeconds; readonly stop: () => ProcessorSeconds }

/**
 * Counts processor time by group from now on. Processes that begin or end meanwhile are counted, except for what a
 * process used in its last half second. Linux only.
 */
export function watchProcessors(grouping: Grouping): ProcessorWatch {
  const before = new Map<number, number>()
  const latest = new Map<number, { ticks: number; group: string }>()
  const look = (): void => {
    const processes = readProcesses()
    const roots = grouping.roots()
    for (const { pid, ticks } of processes.values()) {
      const group = groupOf(pid, processes, roots)
      if (group === undefined) continue
      latest.set(pid, { ticks, group: grouping.refine(group, pid, () => titleOf(pid)) })
    }
  }
  for (const { pid, ticks } of readProcesses().values()) before.set(pid, ticks)
  const timer = setInterval(look, LOOK_EVERY_MS)
  const read = (): ProcessorSeconds => {
    look()
    const seconds: Record<string, number> = {}
    for (const [pid, { ticks, group }] of latest) {
      seconds[group] = (seconds[group] ?? 0) + (ticks - (before.get(pid) ?? 0)) / TICKS_PER_SECOND
    }
    return seconds
  }
  return {
    read,
    stop: () => {
      clearInterval(timer)
      return read()
    },
  }
}

function groupOf(pid: number, processes: ReadonlyMap<number, Process>, roots: ReadonlyMap<number, string>) {
  for (let at = processes.get(pid); at !== undefined; at = processes.get(at.parent)) {
    const group = roots.get(at.pid)
    if (group !== undefined) return group
  }
  return undefined
}

function readProcesses(): Map<number, Process> {
  const found = new Map<number, Process>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const text = contentOf(`/proc/${pid}/stat`)
    // The program's name is in parentheses, and may contain spaces.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    if (fields.length > 12)
      found.set(pid, { pid, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) })
  }
  return found
}

const titleOf = (pid: number): string => contentOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()

/** The content of a file; empty when the process has ended. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
