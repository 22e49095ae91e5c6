import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** The newest supported version of each of Kafka's APIs, by the API's key. */
export type SpokenVersions = ReadonlyMap<number, number>

/**
 * The versions that Redpanda supports, by its source of December 2024 (src/v/kafka/server/handlers). Later releases add
 * to them. Clients may use no other APIs and versions.
 */
export const redpandaVersions: SpokenVersions = new Map([
  ...[
    [0, 7],
    [1, 11],
    [2, 4],
    [3, 8],
    [8, 8],
    [9, 7],
    [10, 3],
    [11, 6],
    [12, 4],
    [13, 4],
    [14, 4],
    [15, 5],
    [16, 4],
  ],
  ...[
    [17, 1],
    [18, 3],
    [19, 6],
    [20, 5],
    [22, 3],
    [29, 2],
    [30, 2],
    [31, 2],
    [32, 4],
    [36, 2],
    [42, 2],
    [44, 1],
    [47, 0],
  ],
] as [number, number][])

/** A proxy in front of a broker that offers no newer versions than these. */
export type OlderProtocol = {
  port: number
  /** API keys that clients used, with the versions of each. */
  used: ReadonlyMap<number, ReadonlySet<number>>
  stop(): Promise<void>
}

const API_VERSIONS = 18
const UNSUPPORTED_VERSION = 35

/** Starts the proxy on 127.0.0.1 for the broker at `brokerPort`, which must advertise `port` to its clients. */
export async function openOlderProtocol(
  { port, brokerPort }: { port: number; brokerPort: number },
  versions: SpokenVersions,
): Promise<OlderProtocol> {
  const used = new Map<number, Set<number>>()
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const broker = connect(brokerPort, '127.0.0.1')
    const questions = new Map<number, number>()
    for (const socket of [client, broker]) {
      sockets.add(socket)
      socket
        .on('error', () => undefined)
        .once('close', () => {
          sockets.delete(socket)
          client.destroy()
          broker.destroy()
        })
    }
    eachFrame(client, (frame) => {
      const [key, version, correlation] = [frame.readInt16BE(0), frame.readInt16BE(2), frame.readInt32BE(4)]
      if (key === API_VERSIONS && version > versions.get(key)!)
        return client.write(framed(refusal(correlation, versions)))
      if (key === API_VERSIONS) questions.set(correlation, version)
      used.set(key, (used.get(key) ?? new Set()).add(version))
      return broker.write(framed(frame))
    })
    eachFrame(broker, (frame) => {
      const version = questions.get(frame.readInt32BE(0))
      questions.delete(frame.readInt32BE(0))
      client.write(framed(version === undefined ? frame : limited(frame, version >= 3, versions)))
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    used,
    async stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

/**
 * The answer of a broker to an ApiVersions request that is too new for it: it is in the oldest form, with the versions
 * that the broker supports.
 */
function refusal(correlation: number, versions: SpokenVersions): Buffer {
  const answer = Buffer.alloc(16)
  answer.writeInt32BE(correlation, 0)
  answer.writeInt16BE(UNSUPPORTED_VERSION, 4)
  answer.writeInt32BE(1, 6)
  answer.writeInt16BE(API_VERSIONS, 10)
  answer.writeInt16BE(0, 12)
  answer.writeInt16BE(versions.get(API_VERSIONS)!, 14)
  return answer
}

/**
 * An answer to that request, limited to the APIs in `versions` and to no newer versions. An entry is (key, oldest,
 * newest).
 */
function limited(frame: Buffer, isCompact: boolean, versions: SpokenVersions): Buffer {
  const head = frame.subarray(0, 6)
  // Brokers have fewer APIs than 127, so a compact length is one byte.
  const count = isCompact ? frame.readUInt8(6) - 1 : frame.readInt32BE(6)
  const start = isCompact ? 7 : 10
  const size = isCompact ? 7 : 6
  const entries = Array.from({ length: count }, (_, index) =>
    frame.subarray(start + index * size, start + (index + 1) * size),
  )
  const spoken = entries.flatMap((entry) => {
    const newest = versions.get(entry.readInt16BE(0))
    if (newest === undefined || newest < entry.readInt16BE(2)) return []
    const copy = Buffer.from(entry)
    copy.writeInt16BE(Math.min(newest, entry.readInt16BE(4)), 4)
    return [copy]
  })
  const length = Buffer.alloc(isCompact ? 1 : 4)
  if (isCompact) length.writeUInt8(spoken.length + 1)
  else length.writeInt32BE(spoken.length)
  return Buffer.concat([head, length, ...spoken, frame.subarray(start + count * size)])
}

function framed(content: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(content.length)
  return Buffer.concat([length, content])
}

/** Calls `take` with each message of the stream, without its length. */
function eachFrame(socket: Socket, take: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      take(rest.subarray(4, end))
      rest = rest.subarray(end)
    }
  })
}
