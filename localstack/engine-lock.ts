import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { EngineEndpoints, RunningEngine } from './engine-endpoints.ts'
import { makeDirectoryOnTheWay, requirePrivateDirectory, writePrivately } from './private-file.ts'
import { MissingProgramError, runToEnd } from './processes/finished-process.ts'
import { ownDirectory } from './settings.ts'

/** This process is the one engine of a directory. */
export type EngineLock = {
  /** Tells other processes where the engine is reached. */
  publish: (endpoints: EngineEndpoints, outputs: Record<string, string>) => Promise<void>
  release: () => Promise<void>
}

/** Removing a lock takes a moment. */
const REMOVAL_MS = 5_000

type Content = { pid: number; startedAt: string; endpoints?: EngineEndpoints; outputs?: Record<string, string> }

/** Takes the directory; throws an Error that names the process that has it, or says how to keep others out. The lock of a process that is gone is void. */
export async function lockDirectory(directory: string): Promise<EngineLock> {
  // Node's compile cache may have made ours.
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

/** The engine that runs on the directory and has come up; undefined when there is none. */
export async function findRunningEngine(directory: string): Promise<RunningEngine | undefined> {
  const holder = await read(lockFile(directory))
  if (holder?.endpoints === undefined || !(await isRunning(holder))) return undefined
  return { pid: holder.pid, endpoints: holder.endpoints, outputs: holder.outputs ?? {} }
}

const lockFile = (directory: string): string => join(directory, 'engine.json')

/** Linked in place with its content: nobody reads half of it. */
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
    // Cut short when the machine went down: nobody's.
    if (error instanceof SyntaxError) return { pid: 0, startedAt: '' }
    throw error
  }
}

/** One process at a time removes a lock, and only a void one: two that find it never remove each other's new one. */
async function removeVoid(file: string): Promise<void> {
  const removing = `${file}.removing`
  if (!(await succeedsUnless('EEXIST', mkdir(removing)))) {
    const since = (await stat(removing).catch(() => undefined))?.mtimeMs ?? Date.now()
    // Left behind by a process that died at this point.
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

/** The process exists and is the same one: its number was not given to another program since. */
async function isRunning({ pid, startedAt }: Content): Promise<boolean> {
  return pid > 0 && (await startOf(pid)) === startedAt
}

/** When a process was started, as text that differs between processes of one number; empty when there is none. */
async function startOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    // The name in parentheses may hold spaces; the start is the 20th field after it.
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
