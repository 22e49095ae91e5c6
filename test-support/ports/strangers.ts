import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from '#localstack/settings.ts'
import { LOOPBACK, openPortsOf } from './open-ports.ts'
import { kindOf, type PortKind, trespass } from './port-probes.ts'

/**
 * Tries each port on which this process and its children listen, as a web page or another user of the machine could.
 * Returns the kinds of the ports, and texts about what must not be: a port without a rule, or one that accepted a
 * stranger.
 */
export async function tryEveryPort(settings: Settings): Promise<{ kinds: PortKind[]; faults: string[] }> {
  const ports = (await openPortsOf(process.pid)).map((open) => ({ ...open, kind: kindOf(open, settings) }))
  const found: { port: number; faults: string[] }[] = []
  for (const { port, address, kind, command } of ports) {
    const faults: string[] = []
    // An IPv6 address that stands for an IPv4 address ends with the latter.
    if (!address.endsWith(LOOPBACK)) faults.push(`port ${port} listens on ${address}, not on loopback: ${command}`)
    if (kind === 'unknown') faults.push(`port ${port} is none whose callers are known to be checked: ${command}`)
    else faults.push(...(await trespass(port, kind)))
    found.push({ port, faults })
  }
  // A function process that ended meanwhile has closed its port, which is not a refusal.
  const open = new Set((await openPortsOf(process.pid)).map(({ port }) => port))
  const faults = found.flatMap((one) => (open.has(one.port) ? one.faults : []))
  return { kinds: [...new Set(ports.map(({ kind }) => kind))].toSorted(), faults }
}

/**
 * Files of a stack's directory that other users of the machine can read, except those that are made from the code
 * alone.
 */
export async function readableByOthers(directory: string): Promise<string[]> {
  const readable: string[] = []
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || /\/(cdk\.out|node-compile-cache)\//.test(path)) continue
    // A file that a server has removed meanwhile cannot be read.
    const mode = (await stat(path).catch(() => undefined))?.mode ?? 0
    if ((mode & 0o044) !== 0 && (await isReachable(path, directory))) readable.push(path)
  }
  return readable
}

/** Whether others may enter every directory on the way. */
async function isReachable(path: string, root: string): Promise<boolean> {
  for (let each = join(path, '..'); each.length >= root.length; each = join(each, '..')) {
    if (((await stat(each)).mode & 0o011) === 0) return false
  }
  return true
}
