import { expect, test } from 'vitest'
import { readConsoleSettings, readSettings } from './settings.ts'

test('nothing set means the usual ports and the checkout’s own directory', () => {
  expect(readSettings({})).toEqual({
    directory: expect.stringMatching(/\.tidemark$/),
    postgresPort: 15432,
    kafkaPort: 19092,
    brokers: 1,
    secure: false,
    connectPort: 18083,
    objectStorePort: 19000,
    catalogPort: 18181,
    endpointPort: 14566,
    localStackPort: 4566,
  })
})

test('a port or URL that cannot be one is refused by the name of its variable', () => {
  expect(() => readSettings({ TIDEMARK_KAFKA_PORT: '80' })).toThrow('TIDEMARK_KAFKA_PORT=80 is not a port')
  expect(() => readSettings({ TIDEMARK_KAFKA_PORT: 'kafka' })).toThrow('TIDEMARK_KAFKA_PORT=kafka')
  expect(() => readSettings({ TIDEMARK_KAFKA_BOOTSTRAP: 'broker' })).toThrow('TIDEMARK_KAFKA_BOOTSTRAP=broker is not')
  for (const url of ['shop', 'mysql://u:p@h/d', 'postgres://h/d', 'postgres://u:p@h']) {
    expect(() => readSettings({ TIDEMARK_SOURCE_URL: url })).toThrow('TIDEMARK_SOURCE_URL is not a database URL')
  }
})

test('each port has a variable of its own', () => {
  expect(readSettings({ TIDEMARK_OBJECT_STORE_PORT: '19001', TIDEMARK_CATALOG_PORT: '18182' })).toMatchObject({
    objectStorePort: 19001,
    catalogPort: 18182,
  })
})

test('the console has a port of its own, and no actions unless they are allowed', () => {
  expect(readConsoleSettings({})).toEqual({ port: 15480, allowsActions: false })
  expect(readConsoleSettings({ TIDEMARK_CONSOLE_PORT: '15481', TIDEMARK_CONSOLE_ACTIONS: '1' })).toEqual({
    port: 15481,
    allowsActions: true,
  })
  expect(() => readConsoleSettings({ TIDEMARK_CONSOLE_ACTIONS: 'yes' })).toThrow('TIDEMARK_CONSOLE_ACTIONS=yes')
})

test('the password of a malformed URL is not in the error', () => {
  expect(() => readSettings({ TIDEMARK_TARGET_URL: 'mysql://u:hunter2@h/d' })).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
  )
})
