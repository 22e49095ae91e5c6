import { execFileSync } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'

/** A port on which a process listens. `address` is an IPv4 or IPv6 address in the kernel's hexadecimal form. */
export type OpenPort = { port: number; address: string; pid: number; command: string }

/** 127.0.0.1 in the form of /proc/net/tcp. */
export const LOOPBACK = '0100007F'

/** Every port on which a process or one of its descendants listens. Only Linux reports the process of a socket. */
export async function openPortsOf(root: number): Promise<OpenPort[]> {
  const listening = [...(await listeners('/proc/net/tcp')), ...(await listeners('/proc/net/tcp6'))]
  const owners = await Promise.all(
    familyOf(root).map(async (each) => ({ ...each, sockets: await socketsOf(each.pid) })),
  )
  return listening.flatMap(({ inode, ...place }) => {
    const owner = owners.find(({ sockets }) => sockets.has(inode))
    return owner === undefined ? [] : [{ ...place, pid: owner.pid, command: owner.command }]
  })
}

/** Lines are `sl local_address rem_address st … inode`; state 0A listens. */
async function listeners(file: string): Promise<{ port: number; address: string; inode: string }[]> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).trim().split('\n').slice(1)
  return lines.flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
    const [address = '', port = ''] = local.split(':')
    return state === '0A' ? [{ address, port: Number.parseInt(port, 16), inode }] : []
  })
}

function familyOf(root: number): { pid: number; command: string }[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim().split('\n')
  const processes = lines.map((line) => {
    const [, pid, parent, command = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return { pid: Number(pid), parent: Number(parent), command }
  })
  const family = new Set([root])
  for (let size = 0; size !== family.size; ) {
    size = family.size
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid)
  }
  return processes.filter(({ pid }) => family.has(pid))
}

async function socketsOf(pid: number): Promise<Set<string>> {
  const directory = `/proc/${pid}/fd`
  const names = await readdir(directory).catch(() => [])
  const links = await Promise.all(names.map((name) => readlink(`${directory}/${name}`).catch(() => '')))
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []))
}
