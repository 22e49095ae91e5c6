import type * as kms from 'aws-cdk-lib/aws-kms'
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import type { Network } from '../network/network.ts'
import { type DatabaseSettings, PostgresDatabase } from '../postgres-database.ts'

export type TargetProps = {
  /** The network that everything is in. */
  network: Network
  /** A new target, or the database that exists. */
  settings: DatabaseSettings
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

/** The database that is kept equal. */
export class Target extends Construct {
  readonly database: PostgresDatabase
  /** Role tidemark_apply: writes rows and progress. */
  readonly applyCredentials: secretsmanager.ISecret
  /** Role tidemark_archive: writes the archive's ledger. */
  readonly archiveCredentials: secretsmanager.ISecret
  /** Role tidemark_windows: maintains what definitions of windows compute. */
  readonly windowsCredentials: secretsmanager.ISecret
  /** Role tidemark_read: reads the views, for people and their tools. */
  readonly readCredentials: secretsmanager.ISecret

  constructor(scope: Construct, id: string, props: TargetProps) {
    super(scope, id)
    this.database = new PostgresDatabase(this, 'Database', { ...props, database: 'target', parameters: {} })
    this.applyCredentials = this.database.credentialsOf('tidemark_apply')
    this.archiveCredentials = this.database.credentialsOf('tidemark_archive')
    this.windowsCredentials = this.database.credentialsOf('tidemark_windows')
    this.readCredentials = this.database.credentialsOf('tidemark_read')
  }
}
