import type * as kms from 'aws-cdk-lib/aws-kms'
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import type { Network } from '../network/network.ts'
import { type ExistingDatabase, type NewDatabase, PostgresDatabase } from '../postgres-database.ts'

export type SourceSettings =
  | ExistingDatabase
  | (NewDatabase & {
      /**
       * The most log that a stalled connector may hold back. Beyond it the slot is given up, so that the disk is not
       * filled.
       */
      slotWalKeepMiB: number
    })

export type SourceProps = {
  /** The network that everything is in. */
  network: Network
  /** A new source, or the database that exists. */
  settings: SourceSettings
  /** Whether resources that hold data stay when the stack is deleted. */
  keepsData: boolean
  /**
   * Key that encrypts rows at rest.
   *
   * @default - a key of AWS
   */
  rowsKey: kms.IKey | undefined
  /**
   * Key that encrypts the credentials.
   *
   * @default - a key of AWS
   */
  credentialsKey: kms.IKey | undefined
}

/** The database that is captured. */
export class Source extends Construct {
  readonly database: PostgresDatabase
  /** Role tidemark_capture: replicates and reads the captured tables. */
  readonly captureCredentials: secretsmanager.ISecret
  /** Role tidemark_producer: writes the producer's tables. */
  readonly producerCredentials: secretsmanager.ISecret

  constructor(scope: Construct, id: string, { settings, ...props }: SourceProps) {
    super(scope, id)
    this.database = new PostgresDatabase(this, 'Database', {
      ...props,
      settings,
      database: 'source',
      parameters: settings.kind === 'existing' ? {} : replicationParameters(settings.slotWalKeepMiB),
    })
    this.captureCredentials = this.database.credentialsOf('tidemark_capture')
    this.producerCredentials = this.database.credentialsOf('tidemark_producer')
  }
}

const replicationParameters = (slotWalKeepMiB: number): Record<string, string> => ({
  'rds.logical_replication': '1',
  // Without this limit, a stalled slot fills the disk and stops the application.
  max_slot_wal_keep_size: String(slotWalKeepMiB),
})
