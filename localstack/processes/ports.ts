import { once } from 'node:events'
import { createServer } from 'node:net'

/** A port on loopback, what uses it, and the variable that chooses another. */
export type Port = { number: number; usedBy: string; variable: string }

/** Throws an Error that names the first port on which another program listens, and says how to choose another. */
export async function refuseBusyPorts(ports: readonly Port[]): Promise<void> {
  for (const { number, usedBy, variable } of ports) {
    if (await isFree(number)) continue
    throw new Error(
      `Port ${number}, for ${usedBy}, is in use by another program. Stop it, or choose another port with ${variable}=<port>.`,
    )
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen({ port, host: '127.0.0.1', exclusive: true })
  try {
    await once(probe, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE' || code === 'EACCES') return false
    throw error
  }
  probe.close()
  await once(probe, 'close')
  return true
}
