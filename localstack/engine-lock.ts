import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { EngineEndpoints, RunningEngine } from './engine-endpoints.ts'
import { makeDirectoryOnTheWay, requirePrivateDirectory, writePrivately } from './private-file.ts'
import { MissingProgramError, runToEnd } from './processes/finished-process.ts'
import { ownDirectory } from './settings.ts'

/** Held by the process that is the only engine of a directory. */
export type EngineLock = {
  /** Publishes the engine's addresses to other processes. */
  publish: (endpoints: EngineEndpoints, outputs: Record<string, string>) => Promise<void>
  release: () => Promise<void>
}

/** A process needs less time than this to remove a lock. */
const REMOVAL_MS = 5_000

type Content = { pid: number; startedAt: string; endpoints?: EngineEndpoints; outputs?: Record<string, string> }

/**
 * Locks the directory for this process. Throws an Error that names the process which has it, or that says how to keep
 * other users out. The lock of a process that no longer exists is void.
 */
export async function lockDirectory(directory: string): Promise<EngineLock> {
  // Node's compile cache may have created our own directory already.
  if (directory === ownDirectory) await makeDirectoryOnTheWay(directory)
  else await requirePrivateDirectory(directory)
  const file = lockFile(directory)
  const own: Content = { pid: process.pid, startedAt: await startOf(process.pid) }
  while (!(await create(file, own))) {
    const holder = await read(file)
    if (holder === undefined) continue
    if (await isRunning(holder)) {
      throw new Error(
        `Tidemark already runs in ${directory}, as process ${holder.pid}. Stop it with Ctrl-C where it was started, or with "kill ${holder.pid}".`,
      )
    }
    await removeVoid(file)
  }
  return {
    publish: (endpoints, outputs) => writePrivately(file, JSON.stringify({ ...own, endpoints, outputs })),
    release: () => rm(file, { force: true }),
  }
}

/** The engine that runs on the directory, when it has come up; otherwise undefined. */
export async function findRunningEngine(directory: string): Promise<RunningEngine | undefined> {
  const holder = await read(lockFile(directory))
  if (holder?.endpoints === undefined || !(await isRunning(holder))) return undefined
  return { pid: holder.pid, endpoints: holder.endpoints, outputs: holder.outputs ?? {} }
}

const lockFile = (directory: string): string => join(directory, 'engine.json')

/**
 * Writes the content to another file and links it in place, so that no process reads half of it. Returns false when
 * there is a lock already.
 */
async function create(file: string, content: Content): Promise<boolean> {
  const fresh = `${file}.${randomUUID()}`
  await writeFile(fresh, JSON.stringify(content), { mode: 0o600 })
  try {
    return await succeedsUnless('EEXIST', link(fresh, file))
  } finally {
    await rm(fresh)
  }
}

async function read(file: string): Promise<Content | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    // The file is cut short, because the machine crashed while it was written. Pid 0 makes the lock void.
    if (error instanceof SyntaxError) return { pid: 0, startedAt: '' }
    throw error
  }
}

/**
 * Removes the lock if it is void. Only one process at a time may do that. Otherwise, of two processes that find a void
 * lock, the slower one could remove the new lock of the faster one.
 */
async function removeVoid(file: string): Promise<void> {
  const removing = `${file}.removing`
  if (!(await succeedsUnless('EEXIST', mkdir(removing)))) {
    const since = (await stat(removing).catch(() => undefined))?.mtimeMs ?? Date.now()
    // A process died at this point and left its marker behind.
    if (Date.now() - since > REMOVAL_MS) await succeedsUnless('ENOENT', rmdir(removing))
    await pause(10)
    return
  }
  try {
    const holder = await read(file)
    if (holder !== undefined && !(await isRunning(holder))) await rm(file)
  } finally {
    await rmdir(removing)
  }
}

async function succeedsUnless(code: string, work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return false
    throw error
  }
}

/** Whether the process exists and is the same one. Its pid may have been given to another program since. */
async function isRunning({ pid, startedAt }: Content): Promise<boolean> {
  return pid > 0 && (await startOf(pid)) === startedAt
}

/**
 * When a process was started, as text that differs between processes with the same pid; empty when there is no such
 * process.
 */
async function startOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    // The name in parentheses may contain spaces. The start time is the 20th field after it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  }
  try {
    const { output } = await runToEnd('ps', ['-o', 'lstart=', '-p', String(pid)])
    return output.trim()
  } catch (error) {
    if (error instanceof MissingProgramError) return ''
    throw error
  }
}
