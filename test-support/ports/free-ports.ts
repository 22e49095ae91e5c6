import { createServer } from 'node:net'

/**
 * Ports to listen on, of which the next port is free, too. They are below the range from which systems choose ports for
 * outgoing connections, because one of those could otherwise take them first.
 */
export async function freePortPairs(count: number): Promise<number[]> {
  const first: number[] = []
  while (first.length < count) {
    const port = 10_000 + 2 * Math.floor(Math.random() * 11_000)
    if (!first.includes(port) && (await isFree(port)) && (await isFree(port + 1))) first.push(port)
  }
  return first
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
