import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'

/**
 * The user id of the process at the other end of a connection over loopback, from the kernel's table of connections.
 * Undefined where the system has no such table, and if the connection is not in it any more.
 */
export async function userOfPeer({
  localAddress,
  localPort,
  remoteAddress,
  remotePort,
}: Socket): Promise<number | undefined> {
  if (process.platform !== 'linux' || remoteAddress === undefined || localAddress === undefined) return undefined
  const table = await readFile('/proc/net/tcp', 'utf8').catch(() => '')
  return findUser(table, [remoteAddress, remotePort ?? 0], [localAddress, localPort ?? 0])
}

type Address = readonly [address: string, port: number]

/** The owner of the connection from `own` to `other` in the text of /proc/net/tcp. */
export function findUser(table: string, own: Address, other: Address): number | undefined {
  const wanted = `${inHex(own)} ${inHex(other)}`
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (`${fields[1]} ${fields[2]}` === wanted) return Number(fields[7])
  }
  return undefined
}

/** The address as the kernel writes it on a little-endian machine, such as `0100007F:3C78`. */
function inHex([address, port]: Address): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
  return `${bytes.reverse().join('')}:${port.toString(16).padStart(4, '0')}`.toUpperCase()
}
