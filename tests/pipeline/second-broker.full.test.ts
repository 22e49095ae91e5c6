import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '#test-support/eventually.ts'
import { startTestBroker, type TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { redpandaVersions } from '#test-support/kafka/older-protocol.ts'
import { processesOf, startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { tripLoad } from '#test-support/trip-load.ts'
import { checkArchive } from '#verify/archive/archive-check.ts'
import { isEqual } from '#verify/compare-databases.ts'

let broker: TestBroker
let pipeline: TestPipeline

beforeAll(async () => {
  broker = await startTestBroker({ speaks: redpandaVersions })
  pipeline = await startPipeline({ kafkaBootstrap: broker.bootstrapServers })
})
afterAll(async () => {
  await pipeline?.stop()
  await broker?.stop()
  expect(pipeline && processesOf(pipeline.settings.directory)).toEqual([])
})

test('on an existing broker that speaks what Redpanda speaks, killed during a load, everything arrives', async () => {
  const load = await tripLoad(pipeline, { rows: 5_000, perSecond: 500 })
  await until('a fifth of the load', async () => (await load.arrived()) > 1_000)
  broker.kill()
  await load.done
  const comparison = await pipeline.compare()

  expect(isEqual(comparison), JSON.stringify(comparison)).toBe(true)
  expect(pipeline.engine.health().map(({ name }) => name)).not.toContain('kafka')
})

test('the producer publishes, and the archive has every record once', async () => {
  const { functionError, payload } = await pipeline.engine.invoke('producer', { mode: 'deltas', count: 100 })
  expect(functionError, payload).toBeUndefined()

  const options = { signal: new AbortController().signal, onProgress: () => undefined }
  const { archivedRecords, archiveMismatches } = await checkArchive(pipeline.engine, options)

  expect(archivedRecords).toBeGreaterThan(5_100)
  expect(archiveMismatches).toBe(0)
})

test('Connect, the mappings and the producer used no version that Redpanda does not have', () => {
  const tooNew = [...broker.usedVersions!].filter(
    ([key, versions]) => Math.max(...versions) > (redpandaVersions.get(key) ?? -1),
  )

  expect(tooNew).toEqual([])
})
