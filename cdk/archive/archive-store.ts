import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as glue from 'aws-cdk-lib/aws-glue'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as s3 from 'aws-cdk-lib/aws-s3'
import * as s3tables from 'aws-cdk-lib/aws-s3tables'
import { Construct } from 'constructs'
import type { Network } from '../network/network.ts'
import type { PipelineFunction } from '../pipeline-function.ts'

/**
 * The catalog of the archive table. `s3tables`: a table bucket, which AWS compacts and cleans up. `glue`: a bucket of
 * the stack and the Glue catalog, which maintain-archive cleans up.
 */
export type ArchiveCatalog = 's3tables' | 'glue'

/** What keeps the metadata small and removes orphans. S3 Tables does this itself, and refuses deletions by others. */
export type Maintainer = 'function' | 'catalog'

export type ArchiveStoreProps = {
  /** Name of the stage, with which the names of resources end. */
  stage: string
  /** Where the table is registered: S3 Tables, or Glue over a bucket. */
  catalog: ArchiveCatalog
  /** What keeps the metadata small: the function maintain-archive, or the catalog. */
  maintainedBy: Maintainer
  /** The network that everything is in. */
  network: Network
  /** Whether resources that hold data stay when the stack is deleted. */
  keepsData: boolean
  /**
   * Key that encrypts rows at rest.
   *
   * @default - a key of AWS
   */
  rowsKey: kms.IKey | undefined
}

/** Variables of every function that opens the archive table, with which it finds the table. */
export type ArchiveVariables = {
  ARCHIVE_CATALOG: ArchiveCatalog
  ARCHIVE_WAREHOUSE: string
  ARCHIVE_NAMESPACE: string
  ARCHIVE_MAINTAINED_BY: Maintainer
  /** Where the table is created; empty when the catalog chooses the place. */
  ARCHIVE_LOCATION: string
}

/** The files of the Iceberg table, and its catalog. The first function that needs the table creates it. */
export class ArchiveStore extends Construct {
  readonly variables: ArchiveVariables
  readonly #grant: (reader: iam.IGrantable) => void
  readonly #grantReading: (reader: iam.IGrantable) => void
  readonly #grantRecovery: (recoverer: iam.IGrantable) => void

  constructor(scope: Construct, id: string, props: ArchiveStoreProps) {
    super(scope, id)
    const namespace = `tidemark_${props.stage}`
    const { variables, grant, grantReading, grantRecovery } =
      props.catalog === 's3tables' ? this.#tableBucket(namespace, props) : this.#bucketAndGlue(namespace, props)
    this.variables = variables
    this.#grant = grant
    this.#grantReading = grantReading
    this.#grantRecovery = grantRecovery
  }

  /** Lets the function create the table, write files and commit them. */
  grantWrite(writer: PipelineFunction): void {
    this.#grant(writer)
  }

  /** Lets the function read the table and its files. */
  grantRead(reader: PipelineFunction): void {
    this.#grantReading(reader)
  }

  /** Lets the function find the table under another name, and rename it back. */
  grantRecover(recoverer: PipelineFunction): void {
    this.#grantRecovery(recoverer)
  }

  #tableBucket(namespace: string, { stage, network, keepsData, rowsKey, maintainedBy }: ArchiveStoreProps) {
    const bucket = new s3tables.CfnTableBucket(this, 'TableBucket', {
      tableBucketName: `tidemark-${stage}`,
      // A data file is in no table until it is committed. It stays for as long as Kafka keeps its records, so that
      // commits may fail for that long.
      unreferencedFileRemoval: { status: 'Enabled', unreferencedDays: 7, noncurrentDays: 10 },
      ...(rowsKey === undefined
        ? {}
        : { encryptionConfiguration: { sseAlgorithm: 'aws:kms', kmsKeyArn: rowsKey.keyArn } }),
    })
    bucket.applyRemovalPolicy(keepsData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY)
    if (rowsKey !== undefined) letMaintain(rowsKey, Stack.of(this))
    network.reach('TableCatalog', ec2.InterfaceVpcEndpointAwsService.S3_TABLES)
    const arn = bucket.attrTableBucketArn
    const grant = (grantee: iam.IGrantable) => {
      iam.Grant.addToPrincipal({
        grantee,
        actions: ['GetTableBucket', 'CreateNamespace', 'GetNamespace'].map(tablesAction),
        resourceArns: [arn],
      })
      iam.Grant.addToPrincipal({
        grantee,
        actions: [
          ...['CreateTable', 'GetTable', 'GetTableMetadataLocation', 'UpdateTableMetadataLocation'],
          ...['GetTableData', 'PutTableData'],
        ].map(tablesAction),
        resourceArns: [arn, `${arn}/table/*`],
      })
      rowsKey?.grantEncryptDecrypt(grantee)
    }
    const grantReading = (grantee: iam.IGrantable) => {
      iam.Grant.addToPrincipal({
        grantee,
        actions: ['GetTableBucket', 'GetNamespace', 'GetTable', 'GetTableMetadataLocation', 'GetTableData'].map(
          tablesAction,
        ),
        resourceArns: [arn, `${arn}/table/*`],
      })
      rowsKey?.grantDecrypt(grantee)
    }
    const grantRecovery = (grantee: iam.IGrantable) => {
      iam.Grant.addToPrincipal({
        grantee,
        actions: ['ListNamespaces', 'ListTables', 'RenameTable'].map(tablesAction),
        resourceArns: [arn, `${arn}/table/*`],
      })
    }
    const variables: ArchiveVariables = {
      ARCHIVE_CATALOG: 's3tables',
      ARCHIVE_WAREHOUSE: arn,
      ARCHIVE_NAMESPACE: namespace,
      ARCHIVE_MAINTAINED_BY: maintainedBy,
      ARCHIVE_LOCATION: '',
    }
    return { variables, grant, grantReading, grantRecovery }
  }

  #bucketAndGlue(namespace: string, { network, keepsData, rowsKey, maintainedBy }: ArchiveStoreProps) {
    const bucket = new s3.Bucket(this, 'Bucket', {
      encryption: rowsKey === undefined ? s3.BucketEncryption.S3_MANAGED : s3.BucketEncryption.KMS,
      ...(rowsKey === undefined ? {} : { encryptionKey: rowsKey, bucketKeyEnabled: true }),
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: keepsData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    const { account, region } = Stack.of(this)
    const database = new glue.CfnDatabase(this, 'Database', {
      catalogId: account,
      databaseInput: { name: namespace, description: 'Every change that Tidemark has archived' },
    })
    network.reach('TableCatalog', ec2.InterfaceVpcEndpointAwsService.GLUE)
    const grant = (grantee: iam.IGrantable) => {
      bucket.grantReadWrite(grantee)
      iam.Grant.addToPrincipal({
        grantee,
        actions: ['GetCatalog', 'GetDatabase', 'CreateTable', 'GetTable', 'UpdateTable'].map((name) => `glue:${name}`),
        resourceArns: ['catalog', `database/${namespace}`, `table/${namespace}/*`].map(
          (resource) => `arn:${Stack.of(this).partition}:glue:${region}:${account}:${resource}`,
        ),
      })
    }
    const grantReading = (grantee: iam.IGrantable) => {
      bucket.grantRead(grantee)
      iam.Grant.addToPrincipal({
        grantee,
        actions: ['GetCatalog', 'GetDatabase', 'GetTable'].map((name) => `glue:${name}`),
        resourceArns: ['catalog', `database/${namespace}`, `table/${namespace}/*`].map(
          (resource) => `arn:${Stack.of(this).partition}:glue:${region}:${account}:${resource}`,
        ),
      })
    }
    // Glue cannot rename a table: recovery prints the commands that do it.
    const grantRecovery = (grantee: iam.IGrantable) => {
      iam.Grant.addToPrincipal({
        grantee,
        actions: ['glue:GetTables'],
        resourceArns: ['catalog', `database/${namespace}`, `table/${namespace}/*`].map(
          (resource) => `arn:${Stack.of(this).partition}:glue:${region}:${account}:${resource}`,
        ),
      })
    }
    const variables: ArchiveVariables = {
      ARCHIVE_CATALOG: 'glue',
      ARCHIVE_WAREHOUSE: account,
      ARCHIVE_NAMESPACE: database.ref,
      ARCHIVE_MAINTAINED_BY: maintainedBy,
      ARCHIVE_LOCATION: `s3://${bucket.bucketName}/changes`,
    }
    return { variables, grant, grantReading, grantRecovery }
  }
}

/** Lets S3 Tables read and write the files with the key when it compacts them. */
function letMaintain(key: kms.IKey, stack: Stack): void {
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      principals: [new iam.ServicePrincipal('maintenance.s3tables.amazonaws.com')],
      actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
    }),
  )
}

const tablesAction = (name: string): string => `s3tables:${name}`
