import type { Admin } from '@platformatic/kafka'
import type { TestBroker } from '#test-support/kafka/kafka-broker.ts'
import { within } from '../measured-stack.ts'
import { checkSink, consumerGroup, type IcebergSink, icebergSinkConfiguration } from '../peers/iceberg-sink.ts'
import type { PeerWorker } from '../peers/peer-worker.ts'
import type { ArchiveStack } from './archive-stack.ts'
import { createTopic, fillUnseen, TOPIC_PARTITIONS } from './filled-topic.ts'
import type { DrainWatch, TableDrain } from './measured-drain.ts'

type SinkTools = {
  readonly stack: ArchiveStack
  readonly broker: TestBroker
  readonly admin: Admin
  readonly worker: PeerWorker
  readonly watch: DrainWatch
}

/**
 * The topic is filled in a transaction, and its commit begins the drain. Before that, one record of each topic
 * partition is put into the table, because a task has no writer before its first record, and a commit waits for the
 * answers of all tasks.
 */
export async function drainBySink(
  { stack, broker, admin, worker, watch }: SinkTools,
  drain: string,
  { records, tasks }: { records: number; tasks: number },
): Promise<TableDrain> {
  const { s3Endpoint, catalogEndpoint, credentials } = stack.services
  const sink: IcebergSink = {
    ...{ name: drain, tasks, topic: `${drain}-records`, controlTopic: `${drain}-control` },
    table: { namespace: drain, name: 'changes' },
    services: { s3Endpoint, catalogEndpoint, credentials, token: stack.servers.key.token },
  }
  await createTopic(broker, sink.topic)
  await broker.createTopic(sink.controlTopic, 1)
  await worker.connect.put(drain, icebergSinkConfiguration(sink))
  const check = () => checkSink(worker.connect, drain)
  await untilAssigned(admin, sink, check)
  const first = Array.from({ length: TOPIC_PARTITIONS }, (_, partition) => ({ partition, key: 'first', value: '{}' }))
  await broker.produce(sink.topic, first)
  await watch.untilComplete(sink.table, { records: first.length, check })
  const filled = await fillUnseen(broker, sink.topic, records)
  return watch.measure(
    sink.table,
    { records, before: first.length },
    {
      check,
      release: () => filled.show(),
      async stop() {
        await filled.close()
        await worker.connect.delete(drain)
        await admin.deleteTopics({ topics: [sink.topic] })
      },
    },
  )
}

async function untilAssigned(admin: Admin, { name, tasks }: IcebergSink, check: () => Promise<void>): Promise<void> {
  await within()(`the consumers of ${name} have their topic partitions`, async () => {
    await check()
    const id = consumerGroup(name)
    const group = (await admin.describeGroups({ groups: [id] })).get(id)
    const assigned = Array.from(group?.members.values() ?? [], ({ assignments }) =>
      Array.from(assignments?.values() ?? []).flatMap(({ partitions }) => partitions),
    )
    const isDone = assigned.length === tasks && assigned.flat().length === TOPIC_PARTITIONS
    return isDone
      ? { done: undefined }
      : { state: `${assigned.length} consumers of ${assigned.flat().length} topic partitions` }
  })
}
