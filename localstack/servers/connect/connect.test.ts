import { expect, test } from 'vitest'
import { workerProperties } from './connect.ts'

const required = {
  BOOTSTRAP_SERVERS: 'b:9092',
  GROUP_ID: 'tidemark-connect',
  CONFIG_STORAGE_TOPIC: 'connect-config',
  OFFSET_STORAGE_TOPIC: 'connect-offsets',
}

test('CONNECT_A_B becomes a.b, the image’s own variables keep their defaults, everything else stays out', () => {
  const properties = workerProperties({
    ...required,
    CONNECT_PLUGIN_DISCOVERY: 'service_load',
    CONNECT_PRODUCER_COMPRESSION_TYPE: 'lz4',
    CONNECT_LOG4J_LOGGERS: 'x',
    SOURCE_PASSWORD: 'secret',
    HEAP_OPTS: '-Xmx512m',
  })

  expect(properties).toEqual({
    'bootstrap.servers': 'b:9092',
    'group.id': 'tidemark-connect',
    'config.storage.topic': 'connect-config',
    'offset.storage.topic': 'connect-offsets',
    'status.storage.topic': 'connect-status',
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'offset.flush.interval.ms': '60000',
    'offset.flush.timeout.ms': '5000',
    'task.shutdown.graceful.timeout.ms': '10000',
    'plugin.discovery': 'service_load',
    'producer.compression.type': 'lz4',
  })
})

test('a variable of the image’s own wins over its CONNECT_ twin, as in the entrypoint', () => {
  const properties = workerProperties({ ...required, CONNECT_GROUP_ID: 'other', OFFSET_FLUSH_INTERVAL_MS: '1000' })

  expect(properties).toMatchObject({ 'group.id': 'tidemark-connect', 'offset.flush.interval.ms': '1000' })
})

test('what the image could not take is refused by name', () => {
  const { GROUP_ID: _group, BOOTSTRAP_SERVERS: _servers, ...rest } = required

  expect(() => workerProperties(rest)).toThrow('container variable BOOTSTRAP_SERVERS is missing')
  expect(() => workerProperties({ ...required, CONNECT_X: 'a@b' })).toThrow("CONNECT_X holds '@'")
  expect(() => workerProperties({ ...required, CONNECT_X: 'a\nb' })).toThrow('CONNECT_X')
})
