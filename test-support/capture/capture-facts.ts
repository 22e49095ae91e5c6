import type { CaptureFacts, ConnectorFacts, SlotFacts, SourceFacts } from '#core/recovery/capture-facts.ts'

/** The clock of the source. */
export const nowMs = 1_000_000

const connector: ConnectorFacts = { epoch: 1, state: 'RUNNING', tasks: [{ state: 'RUNNING' }], storedLsn: 500 }

/** A connector whose task has failed. */
export const failed: ConnectorFacts = {
  ...connector,
  tasks: [{ state: 'FAILED', trace: 'org.Error: no\n\tat X\nCaused by: it\n' }],
}

/** The replication slot of a healthy stack. */
export const slot: SlotFacts = {
  ...{ active: true, confirmedLsn: 400, restartLsn: 300, walStatus: 'reserved', invalidationReason: null },
}

const source: SourceFacts = {
  ...{ nowMs, systemIdentifier: '77', timeline: 1, currentLsn: 600, hasPublication: true, tablesBeingSnapshotted: 0 },
  publicationLsn: 100,
  ...{ setting: { epoch: 1, topicPartitions: 2 }, slot, beacon: { number: 9, lsn: 600 } },
}

/** What the apply function has applied of a topic partition. */
export const place = (topicPartition: number, nextOffset: number) => ({
  ...{ consumer: 'tidemark-latest-state', topic: 'changes', topicPartition, nextOffset },
  ...{ beacon: { number: 9, lsn: 550, atMs: nowMs - 1_000, epoch: 1 }, systemIdentifier: '77', isRebased: false },
})

/** What is archived of a topic partition. */
export const archived = (topicPartition: number, nextOffset: number) => ({
  ...place(topicPartition, nextOffset),
  ...{ consumer: 'tidemark-archive', beacon: null, systemIdentifier: null },
})

/** The consumer group of the apply function. */
export const group = (committed: (number | null)[]) => ({
  ...{
    group: 'tidemark-latest-state',
    consumer: 'tidemark-latest-state',
    topic: 'changes',
    isContiguous: true,
    isEnabled: true,
    committed,
  },
})

/** The consumer group of the archive. */
export const archiveGroup = (committed: (number | null)[]) => ({
  ...{
    group: 'tidemark-archive-changes',
    consumer: 'tidemark-archive',
    topic: 'changes',
    isContiguous: true,
    isEnabled: true,
    committed,
  },
})

/** What differs from a healthy stack. */
export type Changes = {
  connector?: Partial<ConnectorFacts> | null
  source?: Partial<SourceFacts>
  target?: Partial<CaptureFacts['target']>
  ranges?: [number, number][]
  groups?: ReturnType<typeof group>[]
}

/** Facts of a healthy stack, except for what is changed. */
export const facts = (changed: Changes = {}): CaptureFacts => ({
  ...{ changesTopic: 'changes', applyConsumer: 'tidemark-latest-state' },
  connector: { value: changed.connector === null ? undefined : { ...connector, ...changed.connector } },
  source: { value: { ...source, ...changed.source } },
  target: {
    progress: [place(0, 10), place(1, 20)],
    stops: [],
    epochs: [],
    missingRows: [],
    missingViews: [],
    archiveRenewal: null,
    ...changed.target,
  },
  brokers: {
    value: {
      topics: new Map([
        [
          'changes',
          (
            changed.ranges ?? [
              [0, 10],
              [0, 20],
            ]
          ).map(([first, end]) => ({ first, end })),
        ],
      ]),
      groups: changed.groups ?? [group([10, 20])],
    },
  },
})

/** A topic partition that is stopped. */
export const stopped = (reason: string, consumer = 'tidemark-latest-state', deliveries = 2) => ({
  ...{ consumer, topic: 'changes', topicPartition: 0, reason, deliveries },
})

/** Why a topic partition stops when records are missing. */
export const gap = 'records 10 to 12 are missing: they were lost, or are delivered out of order'
