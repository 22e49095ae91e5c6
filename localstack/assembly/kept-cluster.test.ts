import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { readSettings, type Settings } from '#localstack/settings.ts'
import { clusterIdIn, recallCluster, rememberCluster } from './kept-cluster.ts'

let settings: Settings
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-cluster-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  settings = readSettings({ TIDEMARK_DIRECTORY: directory })
})

test('data is used with the number of brokers it was made with, and the error says what to do', async () => {
  await rememberCluster({ ...settings, brokers: 3 })
  await rememberCluster({ ...settings, brokers: 3 })

  await expect(rememberCluster(settings)).rejects.toThrow(
    `The topics of this stack belong to 3 brokers, and it is started with one broker. Start it with "--brokers 3" as before, or run "npm run reset" first.`,
  )
  expect(await recallCluster(settings)).toEqual({ brokers: 3, secure: false })
})

test('data from before the number was kept is that of one broker', async () => {
  await mkdir(join(settings.directory, 'kafka', 'data'), { recursive: true })

  await expect(rememberCluster({ ...settings, brokers: 3 })).rejects.toThrow(
    'belong to one broker, and it is started with 3 brokers',
  )
  await rememberCluster(settings)
})

test('secure brokers are not opened to everybody by a start without the option', async () => {
  await rememberCluster({ ...settings, secure: true })

  await expect(rememberCluster(settings)).rejects.toThrow(
    'belong to one secure broker, and it is started with one broker. Start it with "--secure" as before',
  )
})

test('existing brokers are those of before, and not secured from here', async () => {
  const kafkaBootstrap = '127.0.0.1:9092'
  await rememberCluster({ ...settings, kafkaBootstrap })

  expect(await recallCluster(settings)).toEqual({ brokers: 1, secure: false, kafkaBootstrap })
  await expect(rememberCluster(settings)).rejects.toThrow(
    'belong to 127.0.0.1:9092, and it is started with one broker. Start it with TIDEMARK_KAFKA_BOOTSTRAP=127.0.0.1:9092 as before',
  )
  await expect(rememberCluster({ ...settings, kafkaBootstrap, secure: true })).rejects.toThrow(
    '--secure is only for brokers',
  )
})

test('every node is formatted with the same id, also after a start that was interrupted', async () => {
  await rememberCluster(settings)
  const id = await clusterIdIn(settings)
  await rememberCluster(settings)

  expect(id).toMatch(/^T[\w-]{21}$/)
  expect(await clusterIdIn(settings)).toBe(id)
  expect((await stat(join(settings.directory, 'cluster.json'))).mode & 0o777).toBe(0o600)
})

test('a directory without data has no cluster', async () => {
  expect(await recallCluster(settings)).toBeUndefined()
})
