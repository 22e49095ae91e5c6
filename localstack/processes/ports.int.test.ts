import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { refuseBusyPorts } from './ports.ts'

test('a busy port is refused with its number, its use and the variable that chooses another', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(async () => {
    other.close()
    await once(other, 'close')
  })
  const { port } = other.address() as AddressInfo
  const kafka = { number: port, usedBy: 'Kafka', variable: 'TIDEMARK_KAFKA_PORT' }

  await expect(refuseBusyPorts([kafka])).rejects.toThrow(
    `Port ${port}, for Kafka, is in use by another program. Stop it, or choose another port with TIDEMARK_KAFKA_PORT=<port>.`,
  )
})

test('a free port passes, twice in a row', async () => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  const free = [{ number: port, usedBy: 'Kafka', variable: 'TIDEMARK_KAFKA_PORT' }]

  await refuseBusyPorts(free)
  await expect(refuseBusyPorts(free)).resolves.toBeUndefined()
})
