// Which sizes and settings do the stages local, dev and prod have?

import type { ArchiveSettings } from './archive/archive.ts'
import type { CaptureSettings } from './capture/capture.ts'
import type { ConsoleSettings } from './console/console.ts'
import type { LatestStateSettings } from './latest-state/latest-state.ts'
import type { NetworkSettings } from './network/network.ts'
import type { DatabaseTls } from './pipeline-function.ts'
import type { DatabaseSettings } from './postgres-database.ts'
import type { SourceSettings } from './source/source.ts'
import type { StreamSettings } from './stream/stream.ts'
import type { FlinkWindowsSettings } from './windows/flink-windows.ts'
import type { WindowsSettings } from './windows/windows.ts'

/** Everything that a stage decides. No construct knows a stage by its name. */
export type Stage = {
  /** Name of the stage, with which the names of resources end. */
  name: string
  /** The AWS region. */
  region: string
  /** A new network, or the one that exists. */
  network: NetworkSettings
  /** Brokers and topics. */
  stream: StreamSettings
  /** The database that is captured: a new one, or one that exists. */
  source: SourceSettings
  /** The database that is kept equal: a new one, or one that exists. */
  target: DatabaseSettings
  /** Whether functions and Connect check the databases' certificates, or use no TLS. */
  databaseTls: DatabaseTls
  /** Kafka Connect and what it captures. */
  capture: CaptureSettings
  /** How changes are applied. */
  latestState: LatestStateSettings
  /** How records are archived. */
  archive: ArchiveSettings
  /** How windows are maintained. */
  windows: WindowsSettings
  /** Definitions that Flink computes, too. */
  flinkWindows: readonly FlinkWindowsSettings[]
  /** Whether the console is on AWS, and who may use it. `npm start` and `npm run console` serve it on a laptop. */
  console: ConsoleSettings
  /** Whether topics, databases and secrets are encrypted with customer managed keys; otherwise AWS's own are used. */
  customerManagedKeys: boolean
  /**
   * Whether the stack and its databases refuse deletion. If they are deleted all the same, keys and the last state
   * stay.
   */
  keepsData: boolean
  /** Days for which logs are kept. */
  logRetentionDays: number
}

/** The stage of one machine: one broker without IAM, and nothing that costs money or needs the internet. */
const local: Stage = {
  name: 'local',
  region: 'us-east-1',
  network: { kind: 'new', availabilityZones: ['us-east-1a', 'us-east-1b'], egress: 'none' },
  stream: {
    kafkaVersion: '4.1.x.kraft',
    brokers: { count: 1, instanceType: 'kafka.t3.small', volumeGiB: 10 },
    authentication: 'none',
    replicas: { count: 1, inSync: 1 },
    topicPartitions: { changes: 4, userEvents: 4 },
    retentionHours: 168,
  },
  source: {
    kind: 'new',
    postgresMajor: 17,
    instanceType: 't4g.micro',
    storageGiB: 20,
    multiAz: false,
    backupDays: 1,
    slotWalKeepMiB: 10_240,
  },
  target: {
    kind: 'new',
    postgresMajor: 17,
    instanceType: 't4g.micro',
    storageGiB: 20,
    multiAz: false,
    backupDays: 1,
  },
  databaseTls: 'disable',
  capture: {
    epoch: 1,
    captured: { schemas: ['public'], includeTables: [], excludeTables: [], excludeColumns: [] },
    image: 'public',
    cpu: 1024,
    memoryMiB: 2048,
    // A row of the largest size takes most of the heap, and ordinary changes take half.
    heapMiB: 768,
  },
  // A row of the largest size takes this long on a busy machine.
  latestState: { memoryMiB: 1024, timeoutSeconds: 300, concurrency: 4, pollers: { minimum: 1, maximum: 4 } },
  archive: {
    catalog: 's3tables',
    // The replacement of S3 Tables on one machine does no maintenance.
    maintainedBy: 'function',
    memoryMiB: 512,
    timeoutSeconds: 60,
    concurrency: 2,
    windowSeconds: 1,
    pollers: { minimum: 1, maximum: 2 },
    commit: { afterSeconds: 1, afterMiB: 64 },
  },
  windows: { memoryMiB: 512, timeoutSeconds: 120, concurrency: 4, pollers: { minimum: 1, maximum: 4 } },
  flinkWindows: [],
  console: 'off',
  customerManagedKeys: false,
  keepsData: false,
  logRetentionDays: 1,
}

/** The smallest stage that shows how production behaves. */
const dev: Stage = {
  name: 'dev',
  region: 'us-east-1',
  network: { kind: 'new', availabilityZones: ['us-east-1a', 'us-east-1b', 'us-east-1c'], egress: 'nat' },
  stream: {
    kafkaVersion: '4.1.x.kraft',
    brokers: { count: 3, instanceType: 'kafka.t3.small', volumeGiB: 50 },
    authentication: 'iam',
    replicas: { count: 3, inSync: 2 },
    topicPartitions: { changes: 12, userEvents: 4 },
    retentionHours: 72,
  },
  source: {
    kind: 'new',
    postgresMajor: 17,
    instanceType: 't4g.small',
    storageGiB: 50,
    multiAz: false,
    backupDays: 1,
    slotWalKeepMiB: 20_480,
  },
  target: {
    kind: 'new',
    postgresMajor: 17,
    instanceType: 't4g.small',
    storageGiB: 50,
    multiAz: false,
    backupDays: 1,
  },
  databaseTls: 'verify-full',
  capture: {
    epoch: 1,
    captured: { schemas: ['public'], includeTables: [], excludeTables: [], excludeColumns: [] },
    image: 'iam',
    cpu: 512,
    memoryMiB: 2048,
    heapMiB: 1024,
    rotatePasswordDays: 30,
  },
  latestState: { memoryMiB: 1024, timeoutSeconds: 300, concurrency: 16, pollers: { minimum: 1, maximum: 4 } },
  archive: {
    catalog: 's3tables',
    maintainedBy: 'catalog',
    memoryMiB: 512,
    timeoutSeconds: 120,
    concurrency: 4,
    windowSeconds: 10,
    pollers: { minimum: 1, maximum: 4 },
    commit: { afterSeconds: 60, afterMiB: 64 },
  },
  windows: { memoryMiB: 512, timeoutSeconds: 120, concurrency: 8, pollers: { minimum: 1, maximum: 4 } },
  flinkWindows: [],
  console: 'off',
  customerManagedKeys: false,
  keepsData: false,
  logRetentionDays: 7,
}

/** The stage for production: three zones, no path to the internet, and data that survives the stack. */
const prod: Stage = {
  name: 'prod',
  region: 'us-east-1',
  network: { kind: 'new', availabilityZones: ['us-east-1a', 'us-east-1b', 'us-east-1c'], egress: 'endpoints' },
  stream: {
    kafkaVersion: '4.1.x.kraft',
    brokers: { count: 3, instanceType: 'kafka.m7g.large', volumeGiB: 500 },
    authentication: 'iam',
    replicas: { count: 3, inSync: 2 },
    topicPartitions: { changes: 36, userEvents: 12 },
    retentionHours: 168,
  },
  source: {
    kind: 'new',
    postgresMajor: 17,
    instanceType: 'm7g.xlarge',
    storageGiB: 500,
    multiAz: true,
    backupDays: 14,
    slotWalKeepMiB: 102_400,
  },
  target: {
    kind: 'new',
    postgresMajor: 17,
    instanceType: 'm7g.xlarge',
    storageGiB: 500,
    multiAz: true,
    backupDays: 14,
  },
  databaseTls: 'verify-full',
  capture: {
    epoch: 1,
    captured: { schemas: ['public'], includeTables: [], excludeTables: [], excludeColumns: [] },
    image: 'iam',
    cpu: 2048,
    memoryMiB: 4096,
    heapMiB: 2560,
    rotatePasswordDays: 30,
  },
  latestState: { memoryMiB: 1769, timeoutSeconds: 300, concurrency: 48, pollers: { minimum: 2, maximum: 12 } },
  archive: {
    catalog: 's3tables',
    maintainedBy: 'catalog',
    memoryMiB: 1769,
    timeoutSeconds: 300,
    concurrency: 16,
    windowSeconds: 10,
    pollers: { minimum: 1, maximum: 12 },
    commit: { afterSeconds: 60, afterMiB: 64 },
  },
  windows: { memoryMiB: 1769, timeoutSeconds: 300, concurrency: 36, pollers: { minimum: 2, maximum: 12 } },
  flinkWindows: [],
  console: 'off',
  customerManagedKeys: true,
  keepsData: true,
  logRetentionDays: 90,
}

/** The stages that can be synthesized, by the name that `-c stage=…` gives. */
export const stages: Readonly<Record<string, Stage>> = { local, dev, prod }
