import { execFileSync } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BrokerAccess } from '#localstack/broker-access.ts'
import { until } from '#test-support/eventually.ts'
import { logIn, reasonsOf, write } from '#test-support/kafka/secure-broker.ts'
import { processesOf, startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { tryEveryPort } from '#test-support/ports/strangers.ts'
import { tripLoad } from '#test-support/trip-load.ts'
import { checkArchive } from '#verify/archive/archive-check.ts'
import { isEqual } from '#verify/compare-databases.ts'

let pipeline: TestPipeline
let servers: string[]
let access: BrokerAccess

beforeAll(async () => {
  pipeline = await startPipeline({ brokers: 3, secure: true })
  const { kafka, kafkaAccess } = pipeline.engine.endpoints
  servers = kafka.split(',')
  access = kafkaAccess!
})
afterAll(async () => {
  await pipeline?.stop()
  expect(pipeline && processesOf(pipeline.settings.directory)).toEqual([])
})

test('a broker killed -9 during a load: everything arrives, and the broker comes back', async () => {
  const load = await tripLoad(pipeline, { rows: 10_000, perSecond: 600 })
  await until('a tenth of the load', async () => (await load.arrived()) > 1_000)
  const leader = await leaderOf('changes')
  const pid = pipeline.pid(`kafka-${leader}`)!

  process.kill(pid, 'SIGKILL')
  await load.done
  const comparison = await pipeline.compare()

  expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
  await until('the broker', async () => {
    const broker = pipeline.engine.health().find(({ name }) => name === `kafka-${leader}`)
    return broker?.state === 'healthy' && broker.pid !== pid
  })
})

test.runIf(process.platform === 'linux')('every port of the stack refuses strangers', async () => {
  expect((await tryEveryPort(pipeline.settings)).faults).toEqual([])
})

test('the producer publishes with its own name, and its deltas become the state', async () => {
  const { functionError, payload } = await pipeline.engine.invoke('producer', {
    mode: 'deltas',
    count: 200,
    eventsPerSecond: 1000,
  })

  expect(functionError, payload).toBeUndefined()
  await until('200 deltas in the log', async () => {
    const { rows } = await pipeline.target.query('select count(*)::int as n from tidemark.user_event_log')
    return rows[0].n === 200
  })
})

test('the archive has every record of the topics once', async () => {
  const options = { signal: new AbortController().signal, onProgress: () => undefined }

  const { archivedRecords, archiveMismatches } = await checkArchive(pipeline.engine, options)

  expect(archivedRecords).toBeGreaterThan(10_000)
  expect(archiveMismatches).toBe(0)
})

describe('a client is refused', () => {
  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => 'let in',
      (error: unknown) => reasonsOf(error),
    )
  const delivery = async () => ({ ...access, sasl: { ...access.sasl!, ...(await loginOf('delivery')) } })

  test('that has no login, a wrong password, or does not know the authority', async () => {
    expect(await refusal(logIn(servers, { tls: access.tls! }))).not.toBe('let in')
    expect(await refusal(logIn(servers, { ...access, sasl: { ...access.sasl!, password: 'guessed' } }))).toMatch(
      /authentication/i,
    )
    expect(await refusal(logIn(servers, { sasl: access.sasl!, tls: {} }))).toMatch(/certificate/)
  })

  test('that logs in as the mappings and writes', async () => {
    await logIn(servers, await delivery())

    expect(await refusal(write(servers, await delivery(), 'changes', '{}'))).toMatch(/authoriz/i)
    expect(await refusal(write(servers, await delivery(), 'user-events', '{}'))).toMatch(/authoriz/i)
  })
})

test('no password is among the arguments of a process, in a log, in the template or readable for others', async () => {
  const { directory } = pipeline.settings
  const passwords = await Promise.all(
    ['connect', 'delivery', 'producer'].map(async (user) => (await loginOf(user)).password),
  )
  passwords.push(access.sasl!.password)
  const found = (text: string) => passwords.some((password) => text.includes(password))

  expect(found(execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' }))).toBe(false)
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    const content = await readFile(file, 'latin1').catch(() => '')
    if (!found(content)) continue
    expect(file).not.toMatch(/\.log|cdk\.out/)
    expect([file, (await stat(file)).mode & 0o077]).toEqual([file, 0])
  }
})

async function leaderOf(topic: string): Promise<number> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: servers, ...access })
  try {
    return (await admin.metadata({ topics: [topic] })).topics.get(topic)!.partitions[0]!.leader
  } finally {
    await admin.close()
  }
}

/** The login of a user, read from its secret as the functions read it. */
async function loginOf(user: string): Promise<{ username: string; password: string }> {
  const { username, password } = pipeline.engine.secret(`AmazonMSK_tidemark-local-${user}`)
  return { username: String(username), password: String(password) }
}
