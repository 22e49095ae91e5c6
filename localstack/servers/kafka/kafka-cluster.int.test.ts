import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '#test-support/eventually.ts'
import {
  greetingAt,
  logIn,
  read,
  reasonsOf,
  type SecureBroker,
  startSecureBroker,
  write,
} from '#test-support/kafka/secure-broker.ts'
import { scramAccess } from './broker-listeners.ts'
import { setPasswords, setRights } from './broker-rights.ts'
import { ensureTopic } from './topics.ts'

const writer = { name: 'writer', password: 'writer-secret' }
const reader = { name: 'reader', password: 'reader-secret' }
const rights = [
  { user: 'writer', resource: 'topic', name: 'orders', operations: ['DESCRIBE', 'WRITE'] },
  { user: 'reader', resource: 'topic', name: 'orders', operations: ['DESCRIBE', 'READ'] },
  { user: 'reader', resource: 'group', name: 'readers', operations: ['DESCRIBE', 'READ'] },
] as const

let broker: SecureBroker
let servers: string[]

beforeAll(async () => {
  broker = await startSecureBroker()
  servers = broker.administration.bootstrapBrokers
  for (const name of ['orders', 'others']) {
    await ensureTopic(broker.administration, { name, partitions: 1, replicas: 1, configuration: {} })
  }
  await setPasswords(broker.administration, [writer, reader])
  await setRights(broker.administration, rights)
})
afterAll(() => broker?.stop())

const as = (user: typeof writer) => scramAccess(user, broker.ca)
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'let in',
    (error: unknown) => reasonsOf(error),
  )

describe('a client is refused', () => {
  test('that speaks plain text', async () => {
    expect(await refusal(logIn(servers, {}))).not.toBe('let in')
  })

  test('that has no password', async () => {
    expect(await refusal(logIn(servers, { tls: { ca: broker.ca } }))).not.toBe('let in')
  })

  test('that has a wrong password, or an unknown name', async () => {
    expect(await refusal(logIn(servers, as({ ...writer, password: 'guessed' })))).toMatch(/authentication/i)
    expect(await refusal(logIn(servers, as({ ...writer, name: 'nobody' })))).toMatch(/authentication/i)
  })

  test('that does not know the authority, or expects another host', async () => {
    const { sasl } = as(writer)

    expect(await refusal(logIn(servers, { sasl: sasl!, tls: {} }))).toMatch(/certificate/)
    expect(await greetingAt(broker.port, { ca: broker.ca, servername: 'broker.example' })).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    )
    expect(await greetingAt(broker.port, { ca: broker.ca })).toBe('connected')
  })

  test('that is no broker, where controllers listen', async () => {
    expect(await greetingAt(broker.controllerPort, { ca: broker.ca })).not.toBe('connected')
  })
})

describe('a user', () => {
  test('writes and reads what it may, and nothing else', async () => {
    await write(servers, as(writer), 'orders', 'first')

    expect(await read(servers, as(reader), { topic: 'orders', groupId: 'readers', count: 1 })).toEqual(['first'])
    expect(await refusal(write(servers, as(writer), 'others', 'x'))).toMatch(/authoriz/i)
    expect(await refusal(write(servers, as(reader), 'orders', 'x'))).toMatch(/authoriz/i)
    expect(await refusal(read(servers, as(writer), { topic: 'orders', groupId: 'readers', count: 1 }))).toMatch(
      /authoriz/i,
    )
    expect(await refusal(read(servers, as(reader), { topic: 'orders', groupId: 'others', count: 1 }))).toMatch(
      /authoriz/i,
    )
  })

  test('makes no topics', async () => {
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: servers, retries: 0, ...as(writer) })
    try {
      expect(await refusal(admin.createTopics({ topics: ['mine'], partitions: 1, replicas: 1 }))).toMatch(/authoriz/i)
    } finally {
      await admin.close()
    }
  })

  test('loses what is no longer among the rights, and the password it had before', async () => {
    await setRights(broker.administration, rights.slice(1))
    await setPasswords(broker.administration, [{ ...reader, password: 'rotated' }])

    expect(await refusal(write(servers, as(writer), 'orders', 'x'))).toMatch(/authoriz/i)
    expect(await refusal(logIn(servers, as(reader)))).toMatch(/authentication/i)
    await logIn(servers, as({ ...reader, password: 'rotated' }))
    await setRights(broker.administration, rights)
    await setPasswords(broker.administration, [reader])
  })
})

test('killed with kill -9 it comes back with its records, users and rights', async () => {
  await write(servers, as(writer), 'orders', 'acknowledged')

  broker.kill()

  await eventually(async () => expect(await refusal(write(servers, as(writer), 'orders', 'after'))).toBe('let in'))
  const values = await read(servers, as(reader), { topic: 'orders', groupId: 'readers', count: 3 })
  expect(values).toEqual(['first', 'acknowledged', 'after'])
  expect(await refusal(write(servers, as(reader), 'orders', 'x'))).toMatch(/authoriz/i)
})
