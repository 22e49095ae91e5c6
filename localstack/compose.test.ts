import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { connectWorkerVariables } from '#cdk/capture/connect-worker.ts'
import { serverProperties } from '#cdk/stream/kafka-properties.ts'
import { composeFile } from './localstack-engine/docker.ts'
import { parseProperties } from './servers/java/properties-file.ts'
import { brokerNodes, replicasOf } from './servers/kafka/broker-nodes.ts'
import { readSettings, repository } from './settings.ts'

type Service = {
  image: string
  profiles: string[]
  ports?: string[]
  volumes?: string[]
  network_mode?: string
  command?: string[]
  environment?: Record<string, string>
  healthcheck?: { test: string[] }
  depends_on?: Record<string, { condition: string }>
}

const compose = parse(readFileSync(composeFile, 'utf8'), { merge: true })
const services: [string, Service][] = Object.entries(compose.services)
const folder = join(import.meta.dirname, 'compose')

test('the file is what the Compose Specification asks for', () => {
  const schema = JSON.parse(readFileSync(join(repository, 'fixtures/compose-spec/compose-spec.json'), 'utf8'))
  const validate = new Ajv2020({ strict: false, validateFormats: false, allErrors: true }).compile(schema)

  validate(compose)

  expect(validate.errors).toBeNull()
})

test.each(services)(
  '%s has a health check, an exact image and a profile',
  (_name, { image, healthcheck, profiles }) => {
    expect(healthcheck?.test.length).toBeGreaterThan(1)
    expect(image).toMatch(/:v?\d+\.\d+(\.\d+)?(\.Final)?$/)
    expect(profiles.length).toBeGreaterThan(0)
  },
)

test.each(services)('%s is reached from this machine alone', (name, { ports = [], network_mode }) => {
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
  expect(network_mode === 'host').toBe(name === 'localstack')
  expect(readFileSync(join(folder, 'localstack.env'), 'utf8')).toContain('\nGATEWAY_LISTEN=127.0.0.1:')
})

test('a service that needs another one waits until that is healthy, and every service that is waited for exists', () => {
  const names = new Set(services.map(([name]) => name))
  for (const [, { depends_on = {} }] of services) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      expect(names).toContain(other)
      expect(condition).toBe('service_healthy')
    }
  }
})

test('every file that is mounted is there, and every volume is declared', () => {
  const mounted = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]!))
  for (const source of mounted.filter((each) => !each.startsWith('$'))) {
    const isThere = source.startsWith('.') ? existsSync(join(folder, '..', source)) : source in compose.volumes
    expect([source, isThere]).toEqual([source, true])
  }
})

test('no two services of a profile take one port of the machine', () => {
  for (const profile of new Set(services.flatMap(([, { profiles }]) => profiles))) {
    const taken = services
      .filter(([, { profiles }]) => profiles.includes(profile))
      .flatMap(([, { ports = [] }]) => ports)
    const ports = taken.map((port) => port.split(':')[1])
    expect([profile, new Set(ports).size]).toEqual([profile, ports.length])
  }
})

test.each([
  ['kafka', 1],
  ['redpanda', 1],
  ['kafka-3', 3],
  ['redpanda-3', 3],
] as const)('the brokers of %s listen and are advertised where those of the stack would be', (profile, brokers) => {
  const found = services.filter(
    ([name, { profiles }]) => profiles.includes(profile) && name.startsWith(profile.slice(0, 5)),
  )
  const { kafkaPort } = readSettings({})
  const expected = brokerNodes({ kafkaPort, brokers }).map(({ port }) => port)

  expect(found.map(([, { ports }]) => Number(ports![0]!.split(':')[1]))).toEqual(expected)
  for (const [, { ports, environment, command = [] }] of found) {
    const port = ports![0]!.split(':')[1]
    const advertised = environment?.['KAFKA_ADVERTISED_LISTENERS'] ?? command.join(' ')
    expect(advertised.toLowerCase()).toContain(`host://127.0.0.1:${port}`)
  }
})

test.each([
  ['kafka', 1],
  ['kafka-2', 3],
] as const)('%s has the properties that the stack gives its brokers', (name, brokers) => {
  const [, { environment = {} }] = services.find(([each]) => each === name)!
  const wanted = parseProperties(serverProperties(replicasOf(brokers)))

  for (const [property, value] of Object.entries(wanted)) {
    const variable = `KAFKA_${property.toUpperCase().replaceAll('.', '_')}`
    if (property === 'min.insync.replicas' && value === '1') continue
    expect([variable, environment[variable]]).toEqual([variable, value])
  }
})

test('Redpanda has the same properties under its own names', () => {
  for (const [file, copies] of [
    ['redpanda.yaml', 1],
    ['redpanda-3.yaml', 3],
  ] as const) {
    expect(parse(readFileSync(join(folder, file), 'utf8'))).toMatchObject({
      auto_create_topics_enabled: false,
      kafka_batch_max_bytes: 16 * 1024 * 1024,
      default_topic_replications: copies,
    })
  }
})

test("the worker has the variables of the stack's own, with a group and topics of its own", () => {
  const lines = readFileSync(join(folder, 'connect.env'), 'utf8').split('\n')
  const variables = Object.fromEntries(
    lines.filter((line) => line && !line.startsWith('#')).map((line) => line.split(/=(.*)/s).slice(0, 2)),
  )
  const topics = {
    config: 'compose-connect-config',
    offsets: 'compose-connect-offsets',
    status: 'compose-connect-status',
  }

  expect(variables).toMatchObject(
    connectWorkerVariables({
      ...{ bootstrapBrokers: 'broker:9092', authentication: 'none', group: 'compose-connect', topics, heapMiB: 384 },
    }),
  )
})
