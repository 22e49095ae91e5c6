import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import type * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as rds from 'aws-cdk-lib/aws-rds'
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import type { Network } from './network/network.ts'

export type NewDatabase = {
  /** The stack creates the database. */
  kind: 'new'
  /** Major version of Postgres. */
  postgresMajor: 17 | 18
  /** RDS class without its `db.`, e.g. `t4g.micro`. */
  instanceType: string
  /** Storage of the database. */
  storageGiB: number
  /** Whether a second instance stands by in another zone. */
  multiAz: boolean
  /** Days for which RDS keeps backups. */
  backupDays: number
}

export type ExistingDatabase = {
  /** The database exists already. */
  kind: 'existing'
  /** The host on which it listens. */
  host: string
  /** Its port. */
  port: number
  /** Its name. */
  database: string
  /** Secret of an administrator: {host, port, dbname, username, password}. */
  adminSecretArn: string
  /**
   * Security group of the database. It gets rules that admit the pipeline's functions and Connect.
   *
   * @default - the rules of the database admit them already
   */
  securityGroupId?: string
}

export type DatabaseSettings = NewDatabase | ExistingDatabase

export type PostgresDatabaseProps = {
  /** The network that everything is in. */
  network: Network
  /** A new database, or the one that exists. */
  settings: DatabaseSettings
  /** Name of a new database. */
  database: string
  /** Server parameters of a new database. */
  parameters: Record<string, string>
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

/** Address of a database. */
export type DatabaseEndpoint = { host: string; port: number; database: string }

/** A new Postgres database, or one that exists; the constructs that use it see no difference. */
export class PostgresDatabase extends Construct implements ec2.IConnectable {
  readonly endpoint: DatabaseEndpoint
  readonly adminSecret: secretsmanager.ISecret
  readonly connections: ec2.Connections
  readonly #credentialsKey: kms.IKey | undefined

  constructor(scope: Construct, id: string, props: PostgresDatabaseProps) {
    super(scope, id)
    this.#credentialsKey = props.credentialsKey
    const { settings } = props
    if (settings.kind === 'existing') {
      this.endpoint = { host: settings.host, port: settings.port, database: settings.database }
      this.adminSecret = existingSecret(this, settings)
      this.connections = new ec2.Connections({
        securityGroups: existingGroups(this, settings),
        defaultPort: ec2.Port.tcp(settings.port),
      })
      return
    }
    const instance = makeInstance(this, settings, props)
    const { hostname: host, port } = instance.instanceEndpoint
    this.endpoint = { host, port, database: props.database }
    this.adminSecret = instance.secret!
    this.connections = instance.connections
  }

  /** Lets the client connect as the administrator. */
  grantAdministration(client: iam.IGrantable & ec2.IConnectable): void {
    this.adminSecret.grantRead(client)
    this.connections.allowDefaultPortFrom(client)
  }

  /** Lets the client connect as the role of these credentials. */
  grantUse(client: iam.IGrantable & ec2.IConnectable, credentials: secretsmanager.ISecret): void {
    credentials.grantRead(client)
    this.connections.allowDefaultPortFrom(client)
  }

  /** A generated password for a role of this database, with its address: {host, port, dbname, username, password}. */
  credentialsOf(role: string): secretsmanager.ISecret {
    const { host, port, database } = this.endpoint
    return new secretsmanager.Secret(this, `${role}Credentials`, {
      description: `Role ${role}`,
      ...(this.#credentialsKey === undefined ? {} : { encryptionKey: this.#credentialsKey }),
      generateSecretString: {
        secretStringTemplate: Stack.of(this).toJsonString({
          engine: 'postgres',
          host,
          port,
          dbname: database,
          username: role,
        }),
        generateStringKey: 'password',
        passwordLength: 40,
        excludePunctuation: true,
      },
    }) as secretsmanager.ISecret
  }
}

/** A right to read names the secret with its random suffix; if the suffix is not known, the right is for any suffix. */
function existingSecret(scope: Construct, { adminSecretArn: arn }: ExistingDatabase): secretsmanager.ISecret {
  const complete = /-[A-Za-z0-9]{6}$/.test(arn)
  return secretsmanager.Secret.fromSecretAttributes(
    scope,
    'Admin',
    complete ? { secretCompleteArn: arn } : { secretPartialArn: arn },
  )
}

function existingGroups(scope: Construct, { securityGroupId }: ExistingDatabase): ec2.ISecurityGroup[] {
  if (securityGroupId === undefined) return []
  return [ec2.SecurityGroup.fromSecurityGroupId(scope, 'SecurityGroup', securityGroupId)]
}

const engineVersions = { 17: rds.PostgresEngineVersion.VER_17_9, 18: rds.PostgresEngineVersion.VER_18_3 }

function makeInstance(scope: Construct, settings: NewDatabase, props: PostgresDatabaseProps): rds.DatabaseInstance {
  const { network, keepsData, credentialsKey, rowsKey } = props
  const engine = rds.DatabaseInstanceEngine.postgres({ version: engineVersions[settings.postgresMajor] })
  return new rds.DatabaseInstance(scope, 'Instance', {
    engine,
    instanceType: new ec2.InstanceType(settings.instanceType),
    vpc: network.vpc,
    vpcSubnets: network.subnets,
    publiclyAccessible: false,
    databaseName: props.database,
    credentials: rds.Credentials.fromGeneratedSecret('postgres', {
      ...(credentialsKey === undefined ? {} : { encryptionKey: credentialsKey }),
    }),
    parameterGroup: new rds.ParameterGroup(scope, 'Parameters', {
      engine,
      parameters: { 'rds.force_ssl': '1', ...props.parameters },
    }),
    allocatedStorage: settings.storageGiB,
    maxAllocatedStorage: settings.storageGiB * 4,
    storageType: rds.StorageType.GP3,
    storageEncrypted: true,
    ...(rowsKey === undefined ? {} : { storageEncryptionKey: rowsKey }),
    multiAz: settings.multiAz,
    backupRetention: Duration.days(settings.backupDays),
    copyTagsToSnapshot: true,
    // A major upgrade refuses to run while a replication slot exists, so it is only made deliberately.
    allowMajorVersionUpgrade: false,
    autoMinorVersionUpgrade: true,
    deletionProtection: keepsData,
    removalPolicy: keepsData ? RemovalPolicy.SNAPSHOT : RemovalPolicy.DESTROY,
  })
}
